"""What goes with what is gone, and what stays as it was written."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from glasswork.scaffolding.stripping.pruning import Pruning
from glasswork.scaffolding.stripping.references import Gone
from glasswork.scaffolding.stripping.sources import Source

OTHER = "from app.old import old\n"
"""Of what every module here imports, and what is gone."""


def prune(gone: Gone | None = None, **modules: str) -> dict[str, str]:
    """Prune modules, by names with `__` for a slash; return those that are left."""
    paths = {Path(f"{name.replace('__', '/')}.py"): dedent(text) for name, text in modules.items()}
    pruning = Pruning(
        [Source(path, text.encode()) for path, text in paths.items()], gone or Gone(modules={"app.old"})
    )
    pruning.run()
    return {
        str(source.path.with_suffix("")).replace("/", "__"): source.data.decode()
        for source in pruning.sources.values()
    }


def pruned(text: str, *, gone: Gone | None = None, name: str = "src__app__new") -> str:
    return prune(gone, **{name: text})[name]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("X = (a, old, b)\n", "X = (a,  b)\n"),
        ("X = (a, old)\n", "X = (a, )\n"),
        ("X = (old, a)\n", "X = ( a,)\n"),
        ("X = [a, f(old), b]\n", "X = [a,  b]\n"),
        ("X = {1: a, old: b, 2: c}\n", "X = {1: a,  2: c}\n"),
        ("X = {1: a, 2: old.type}\n", "X = {1: a, }\n"),
        ("X = {**old, 2: a}\n", "X = { 2: a}\n"),
        ("X = (*(a, old), b)\n", "X = (*(a, ), b)\n"),
        ("X = (*(old,), b)\n", "X = ( b,)\n"),
        ("X = {1: (old.a, old.b), 2: (a, b)}\n", "X = { 2: (a, b)}\n"),
        ("X: tuple[int, ...] = (old,)\n", "X: tuple[int, ...] = ()\n"),
        ("X: set[int] = {old}\n", "X: set[int] = set()\n"),
        ("X = a | declare(b, old) | c\n", "X = a | declare(b, ) | c\n"),
        ("X = a | old\n", "X = a\n"),
        ("X = a\nY = f(old)\nZ = b\n", "X = a\nZ = b\n"),
        ("X = f(old)\n'''What it is.'''\nY = X\nZ = a\n", "Z = a\n"),
    ],
)
def test_the_smallest_thing_that_can_be_left_out_goes(before: str, after: str) -> None:
    assert pruned(OTHER + before) == after


def test_a_row_of_a_table_goes_as_a_whole() -> None:
    text = """
    X = [
        ("one", a),
        ("two", old),  # as ever
    ]
    """
    assert pruned(OTHER + dedent(text)).split() == ["X", "=", "[", '("one",', "a),", "]"]


def test_of_an_import_the_other_names_stay() -> None:
    gone = Gone(names={("app.some", "old")})
    assert pruned("from app.some import new, old, other\nX = new\n", gone=gone) == (
        "from app.some import new, other\nX = new\n"
    )


def test_a_function_goes_with_its_decorators_and_whoever_calls_it() -> None:
    text = """
    # Of old.
    @some
    def one():
        return old()

    def two():
        return one()

    def three():
        return 3
    """
    assert pruned(OTHER + dedent(text)).split() == ["def", "three():", "return", "3"]


def test_a_name_that_a_function_gives_itself_is_its_own() -> None:
    text = "def one(old):\n    return old\n\n\ndef two():\n    old = 2\n    return old\n"
    assert pruned(OTHER + text) == text


def test_a_field_and_a_method_go_alone_and_who_calls_the_method_too() -> None:
    left = prune(
        src__app__service=OTHER
        + dedent("""
        class Service:
            kind: old
            name: str

            def __init__(self):
                self._old = old()
                self._new = 1

            def gone(self):
                return self._old

            def stays(self):
                return self._new
        """),
        src__app__caller="""
        def one(service):
            return service.gone()

        def two(service):
            return service.stays()
        """,
    )
    assert "gone" not in left["src__app__service"]
    assert "_old" not in left["src__app__service"]
    assert "kind" not in left["src__app__service"]
    assert "self._new = 1" in left["src__app__service"]
    assert "def stays" in left["src__app__service"]
    assert "def one" not in left["src__app__caller"]
    assert "def two" in left["src__app__caller"]


def test_who_imports_what_goes_loses_it_too() -> None:
    left = prune(
        src__app__middle=OTHER + "def middle():\n    return old\n\n\nX = 1\n",
        src__app__top="from app.middle import X, middle\n\nY = (X, middle)\n",
    )
    assert left["src__app__top"] == "from app.middle import X\n\nY = (X, )\n"


def test_what_was_there_for_what_is_gone_goes() -> None:
    left = prune(
        src__app__helping="def help_old():\n    return 1\n\n\ndef help_all():\n    return 2\n",
        src__app__old="from app.helping import help_all, help_old\n\nold = help_old() + help_all()\n",
        src__app__new="from app.helping import help_all\n\nX = help_all()\n",
        tests__test_helping="from app.helping import help_old\n\n\ndef test_it():\n    assert help_old()\n",
    )
    assert left.keys() == {"src__app__helping", "src__app__new"}
    assert "help_old" not in left["src__app__helping"]
    assert "help_all" in left["src__app__helping"]


def test_names_in_all_go_with_what_they_name() -> None:
    assert pruned(OTHER + '__all__ = ["new", "old"]\n') == '__all__ = ["new", ]\n'


TESTS = """
@pytest.fixture
def thing():
    return make("/tasks")


def test_with_the_fixture(thing):
    assert thing


@pytest.mark.usefixtures("thing")
def test_with_it_around():
    assert True


def test_with_its_address():
    assert get(f"/projects/1/tasks?limit={1}")


def test_with_its_operation():
    assert call("create_task")


@pytest.mark.parametrize("path", ["/tasks", "/users"])
def test_with_one_of_several(path):
    assert get(path)


def test_of_something_else():
    \"\"\"Not of /tasks.\"\"\"
    assert get("/users")
"""


def test_a_test_goes_with_its_fixture_its_address_and_its_operation() -> None:
    gone = Gone(modules={"app.old"}, words=re.compile(r"/tasks(?=[/?]|$)"), operations={"create_task"})
    left = pruned(TESTS, gone=gone, name="tests__test_some")
    assert re.findall(r"def (\w+)", left) == ["test_with_one_of_several", "test_of_something_else"]
    assert '["/users"]' in left.replace("[ ", "[")


def test_what_parameters_are_called_says_nothing() -> None:
    text = (
        '@pytest.mark.parametrize(("role", "tasks"), [(1, 2)])\ndef test_it(role, tasks):\n    assert role\n'
    )
    gone = Gone(words=re.compile("^tasks$"))
    assert pruned(text, gone=gone, name="tests__test_some") == text


def test_a_module_without_tests_goes_with_its_helpers() -> None:
    left = prune(
        Gone(modules={"app.old"}),
        tests__test_old=OTHER
        + "def helper():\n    return 1\n\n\ndef test_it():\n    assert helper() == old\n",
        tests__test_new="def test_it():\n    assert True\n",
    )
    assert left.keys() == {"tests__test_new"}


def test_a_conftest_stays_though_nobody_imports_it_any_more() -> None:
    left = prune(
        tests__conftest="import pytest\n\n\n@pytest.fixture\ndef thing():\n    return 1\n\n\nX = 1\n",
        tests__test_old=OTHER + "from tests.conftest import X\n\n\ndef test_it():\n    assert old == X\n",
        tests__test_new="def test_it(thing):\n    assert thing\n",
    )
    assert left.keys() == {"tests__conftest", "tests__test_new"}
    assert "def thing" in left["tests__conftest"]
