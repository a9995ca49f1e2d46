"""What `new-feature` writes, and that it writes nothing where something is in the way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from glasswork.scaffolding.checkout import Checkout, Text
from glasswork.scaffolding.command import new_feature
from glasswork.scaffolding.errors import RefusedError
from glasswork.scaffolding.feature import Feature
from glasswork.scaffolding.plan import plan
from glasswork.scaffolding.rendering import render
from tests.processes import PROGRAM

from .every_type import EVERY_TYPE


def invoices(*fields: str, package: str = "glasswork") -> Feature:
    return Feature.read(package, "invoices", None, fields or EVERY_TYPE)


def content(checkout: Checkout) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in checkout.root.rglob("*") if path.is_file()}


def complaints(checkout: Checkout, texts: list[Text]) -> str:
    """Return what ruff says of the files."""
    ruff, files = Path(sys.executable).with_name("ruff"), [text.path for text in texts]
    said = ""
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        ended = subprocess.run(
            [ruff, *command, "--quiet", *files],
            cwd=checkout.root,
            capture_output=True,
            text=True,
            check=False,
        )
        said += ended.stdout + ended.stderr
    return said


class TestRefusals:
    def test_of_what_is_no_checkout(self, tmp_path: Path) -> None:
        installed = tmp_path / "lib/python3/site-packages/glasswork"
        installed.mkdir(parents=True)
        with pytest.raises(RefusedError, match="in a checkout of the repository alone"):
            Checkout.of(installed)

    @pytest.mark.parametrize(
        ("plural", "singular", "reason"),
        [
            ("workspaces", None, "calls something else 'workspace'"),
            ("members", None, "calls something else 'member'"),
            ("pages", None, "calls something else 'page'"),
            ("actors", None, "calls something else 'actor'"),
            ("lists", None, "calls something else 'list'"),
            ("classes", None, "calls something else 'class'"),
            ("values", "worth", "reserved word of SQL"),
            ("references", None, "reserved word of SQL"),
            ("jobs", None, "features/jobs is there already"),
            ("memberships", None, "a table 'memberships'"),
            ("acts", "event", "calls something else 'Event'"),
            ("papers", "identity", "identity|Identity|IDENTITY"),
            ("mail", "letter", "models.py knows 'mail' already"),
            ("health", "illness", "routers.py knows 'health' already"),
        ],
    )
    def test_of_names_that_are_taken(
        self, here: Checkout, plural: str, singular: str | None, reason: str
    ) -> None:
        with pytest.raises(RefusedError, match=reason) as refused:
            plan(here, Feature.read("glasswork", plural, singular, ["name:str"]))
        assert refused.value.exit_code == 2

    def test_of_a_place_that_is_gone(self, checkout: Checkout) -> None:
        matrix = checkout.root / "tests/contract/matrix.py"
        matrix.write_text(matrix.read_text().replace("DUE:", "OWED:"))
        with pytest.raises(RefusedError, match=r"tests/contract/matrix.py has no DUE any more"):
            plan(checkout, invoices())

    def test_of_revisions_that_have_two_ends(self, checkout: Checkout) -> None:
        before = checkout.last_revision()
        for own in ("9991", "9992"):
            file = checkout.root / f"migrations/versions/{own}.py"
            file.write_text(f'revision = "{own}"\ndown_revision = "{before}"\n')
        with pytest.raises(RefusedError, match="one last revision"):
            plan(checkout, invoices())

    def test_writes_nothing(self, checkout: Checkout) -> None:
        before = content(checkout)
        with pytest.raises(RefusedError):
            new_feature(checkout.root / "src/glasswork", "jobs", None, ["name:str"], dry_run=False)
        assert content(checkout) == before

    def test_is_told_in_words_with_an_exit_code(self) -> None:
        command = [PROGRAM, "new-feature", "invoices", "--field", "amount:money"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "'amount:money': the types are str, text" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_dry_run_shows_the_files_and_writes_nothing(checkout: Checkout) -> None:
    before = content(checkout)
    told = new_feature(checkout.root / "src/glasswork", "invoices", None, EVERY_TYPE, dry_run=True)
    lines = [line.split() for line in told.splitlines()]
    assert ["new", "src/glasswork/features/invoices/router.py"] in lines
    assert ["changed", "pyproject.toml"] in lines
    assert told.endswith("Nothing has been written.")
    assert content(checkout) == before


@pytest.mark.parametrize("field", EVERY_TYPE)
def test_a_feature_of_each_field_alone_is_python(here: Checkout, field: str) -> None:
    fields = (field, "name:str") if "user" in field else (field,)
    for text in render(here, invoices(*fields)):
        ast.parse(text.content)


@pytest.mark.slow
def test_what_is_written_is_as_the_gates_want_it(checkout: Checkout) -> None:
    """One feature after the other, each of another number of fields."""
    made = {"invoices": EVERY_TYPE, "payers": ("payer_id:user?", "clerk_id:user?", "name:str")}
    made |= {"sales_orders": ("total:decimal",), "boxes": ("code:str(2)",), "marks": ("is_set:bool",)}
    made |= {"works": ("size:decimal(4,0)? ", "cost:decimal(4,0) = 3")}
    last = int(checkout.last_revision())
    for plural, fields in made.items():
        texts = plan(checkout, Feature.read("glasswork", plural, None, fields))
        checkout.write(texts)
        assert complaints(checkout, texts) == ""
    assert int(checkout.last_revision()) == last + len(made)


def test_the_second_time_it_is_there(checkout: Checkout) -> None:
    folder = checkout.root / "src/glasswork"
    told = new_feature(folder, "sales_orders", None, ["total:decimal"], dry_run=False)
    assert "uv run glasswork migrate" in told
    routes = (folder / "features/sales_orders/router.py").read_text()
    assert '"/workspaces/{workspace_id}/sales-orders"' in routes
    assert '"/sales-orders/{sales_order_id}"' in routes
    with pytest.raises(RefusedError, match="there already"):
        new_feature(folder, "sales_orders", None, ["total:decimal"], dry_run=False)


def test_a_product_without_the_features_above_takes_it_too(checkout: Checkout) -> None:
    whole = {text.path for text in plan(checkout, invoices())}
    above = {path for path in whole if "features" in path.parts and "invoices" not in path.parts}
    assert len(above) > 3
    for path in above:
        (checkout.root / path).unlink()
    assert {text.path for text in plan(checkout, invoices())} == whole - above


def test_it_is_called_by_the_name_of_its_package(checkout: Checkout) -> None:
    (checkout.root / "src/glasswork").rename(checkout.root / "src/other")
    texts = plan(Checkout.of(checkout.root / "src/other"), invoices(package="other"))
    new = [text for text in texts if text.is_new]
    assert [text.path for text in new if "glasswork" in f"{text.path} {text.content}".lower()] == []
    assert Path("src/other/features/invoices/router.py") in [text.path for text in new]
