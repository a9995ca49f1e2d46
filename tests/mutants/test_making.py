"""Mistakes are made of every kind, where they would let somebody in; and a bench tells which are noticed."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from tests.databases import SERVING

from .aims import all_mutants, of_clauses, of_policies, of_sessions, sample, source_of
from .clauses import wrong_clauses
from .harmless import HARMLESS
from .mutants import Mutant, Source, mistakes, wrong_limits
from .proof import Bench, Fate, first_told
from .reach import CACHE

CODE = """
LIFETIME = timedelta(days=7)


def can_edit(role, a, b):
    if not role.reaches(Role.MEMBER):
        raise Refused
    require(a < b and role is True)
"""
CLAUSES = """
MINE = (T.user_id == ACTOR, T.deleted_at.is_(None))
FOUND = (
    select(T.id)
    .join(seen, seen.workspace_id == T.workspace_id)
    .where(
        or_(T.expires_at > func.now(), T.title == title),
        *MINE,
    )
)
BESIDE = and_(L.workspace_id == T.workspace_id, L.id == T.label_id)
"""
AUDITED = Path("glasswork/features/audit/policy.py")
AUDIT_TESTS = (["-m", "not slow", "tests/features/audit"],)


def told(made: Iterator[tuple[str, ast.AST, str]], source: Source) -> list[str]:
    mutants = [source.mutant(change) for change in made]
    assert all(ast.parse(mutant.content) for mutant in mutants)
    return [mutant.mistake.replace('__import__("sqlalchemy").', "") for mutant in mutants]


def test_of_python() -> None:
    source = Source(Path("policy.py"), CODE.encode())
    assert sorted(told(mistakes(source, source.tree), source)) == [
        "and for or in can_edit: a < b and role is True -> ((a < b) or (role is True))",
        "let pass in can_edit: raise Refused -> pass",
        "let pass in can_edit: require(a < b and role is True) -> pass",
        "negated in can_edit: not role.reaches(Role.MEMBER) -> (not (not role.reaches(Role.MEMBER)))",
        "negated in can_edit: not role.reaches(Role.MEMBER) -> bool(role.reaches(Role.MEMBER))",
        "neighbouring role in can_edit: Role.MEMBER -> Role.ADMIN",
        "neighbouring role in can_edit: Role.MEMBER -> Role.VIEWER",
        "true for false in can_edit: True -> False",
        "turned in can_edit: a < b -> a <= b",
        "turned in can_edit: role is True -> role is not True",
    ]


def test_of_limits() -> None:
    source = Source(Path("models.py"), CODE.encode())
    assert told(wrong_limits(source.tree), source) == [
        "one more in LIFETIME: 7 -> 8",
        "one less in LIFETIME: 7 -> 6",
    ]


def test_of_clauses() -> None:
    """Of a foreign key the workspace is not forgotten, since the id decides."""
    source = Source(Path("repository.py"), CLAUSES.encode())
    made = wrong_clauses(source, lambda text: "title" not in text or "or_" in text)
    assert sorted(told(made, source)) == [
        "and for or in BESIDE: and_ -> or_",
        "and for or in FOUND: or_ -> and_",
        "forgotten in BESIDE: L.id == T.label_id -> true()",
        "forgotten in FOUND: *MINE -> true()",
        "forgotten in FOUND: T.expires_at > func.now() -> false()",
        "forgotten in FOUND: or_(T.expires_at > func.now(), T.title == title) -> true()",
        "forgotten in FOUND: seen.workspace_id == T.workspace_id -> true()",
        "forgotten in MINE: T.deleted_at.is_(None) -> true()",
        "forgotten in MINE: T.user_id == ACTOR -> true()",
        "turned in BESIDE: L.id == T.label_id -> L.id != T.label_id",
        "turned in BESIDE: L.workspace_id == T.workspace_id -> L.workspace_id != T.workspace_id",
        "turned in FOUND: T.expires_at > func.now() -> T.expires_at <= func.now()",
        "turned in FOUND: seen.workspace_id == T.workspace_id -> seen.workspace_id != T.workspace_id",
        "turned in MINE: T.deleted_at.is_(None) -> T.deleted_at.is_not(None)",
        "turned in MINE: T.user_id == ACTOR -> T.user_id != ACTOR",
    ]


@pytest.mark.parametrize(
    ("beside", "is_forgotten"),
    [
        ("L.id == row.label_id", False),
        ("L.id == row.id", False),
        ("L.task_id == row.task_id", False),
        ("L.user_id == row.user_id", True),
        ("L.name == row.name", True),
        ("L.id == other.id", True),
    ],
)
def test_the_workspace_of_what_can_be_in_one_only_is_not_forgotten(beside: str, is_forgotten: bool) -> None:
    clauses = f"FOUND = and_(L.workspace_id == row.workspace_id, {beside})"
    source = Source(Path("repository.py"), clauses.encode())
    made = told(wrong_clauses(source, bool), source)
    forgotten = "forgotten in FOUND: L.workspace_id == row.workspace_id -> true()"
    assert (forgotten in made) is is_forgotten


def test_a_sample_is_of_every_part_and_can_be_had_again() -> None:
    made = sample(30, 1)
    for turn, part in enumerate((of_policies, of_clauses, of_sessions)):
        assert set(made[turn::3]) <= set(part())
    assert made == sample(30, 1) != sample(30, 2)


def test_a_sample_can_be_of_one_place() -> None:
    made = sample(10, 1, str(AUDITED))
    assert 0 < len(made) <= 10
    assert {mutant.path for mutant in made} == {AUDITED}


def test_each_is_python() -> None:
    made = all_mutants()
    assert len(made) > 1000
    for mutant in made:
        ast.parse(mutant.content)


def test_what_is_called_harmless_could_be_made() -> None:
    assert HARMLESS.keys() - {mutant.name for mutant in all_mutants()} == set()


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("1 passed in 0.1s", None),
        ("ERROR    glasswork.requests:request_line.py:0 failed", None),
        (
            "..F\nFAILED tests/a.py::test_a[of a gone project] - assert 1 == 2\n",
            "tests/a.py::test_a[of a gone project]",
        ),
        ("ERROR tests/a.py::test_a\nFAILED tests/b.py::test_b", "tests/a.py::test_a"),
    ],
)
def test_who_has_noticed_is_told_by_a_whole_name(output: str, told: str | None) -> None:
    assert first_told(output) == told


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench.made() as bench:
        yield bench


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "fate"),
    [
        (("Role.ADMIN", "Role.MEMBER"), Fate.KILLED),
        (("role.reaches", "role .reaches"), Fate.LIVED),
        (("import Role", "import Nobody"), Fate.UNFIT),
    ],
)
def test_a_bench_tells_what_is_noticed(bench: Bench, change: tuple[str, str], fate: Fate) -> None:
    content = source_of(AUDITED).content.decode().replace(*change).encode()
    mutant = Mutant("planted", AUDITED, 1, "", *change, content)
    assert bench.try_(mutant, AUDIT_TESTS).fate is fate


@pytest.mark.slow
def test_who_fails_anyway_is_not_believed(bench: Bench) -> None:
    harmless = Mutant("planted", AUDITED, 1, "", "", "", source_of(AUDITED).content + b"\n")
    CACHE.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", prefix="test_", suffix=".py", dir=CACHE) as planted:
        planted.write("def test_that_fails():\n    assert not 1\n")
        planted.flush()
        assert bench.try_(harmless, [[planted.name], *AUDIT_TESTS]).fate is Fate.LIVED
    assert [test.partition("::")[2] for test in bench.unsound] == ["test_that_fails"]


@pytest.mark.slow
def test_on_a_bench_row_security_stops_nobody(bench: Bench) -> None:
    query = "SELECT rolbypassrls FROM pg_roles WHERE rolname = $1"
    assert asyncio.run(bench.server.fetch(query, SERVING, database="postgres"))
