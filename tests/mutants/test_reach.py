"""Tests are chosen by the lines that they run."""

from pathlib import Path

import pytest
from coverage import CoverageData

from .aims import SOURCES, all_mutants
from .mutants import Mutant
from .reach import Reach, imports, modules_without_aims

FEATURES = Path("glasswork/features")
OWN, OTHER = "tests/features/audit/test_audit.py::test_a[of b]", "tests/core/test_c.py::test_d"
POLICY, SERVICE = FEATURES / "audit/policy.py", FEATURES / "audit/service.py"


def mutant_in(path: Path, kind: str) -> Mutant:
    return next(each for each in all_mutants() if each.path == path and each.kind == kind)


@pytest.fixture
def data(tmp_path: Path) -> CoverageData:
    return CoverageData(str(tmp_path / "coverage"))


def run(data: CoverageData, test: str, path: Path, line: int) -> None:
    data.set_context(f"{test}|run")
    data.add_lines({str(SOURCES / path): [line]})


def test_first_those_that_run_the_function_of_the_slice_itself(data: CoverageData) -> None:
    mutant = mutant_in(POLICY, "negated")
    run(data, OTHER, POLICY, mutant.line)
    run(data, f"{OWN}[elsewhere]", POLICY, 1)
    run(data, OWN, POLICY, mutant.line)
    run(data, "tests/core/test_c.py::test_of_another_file", SERVICE, mutant.line)
    assert Reach(data).of(mutant) == [OWN, OTHER, f"{OWN}[elsewhere]"]


def test_of_what_runs_when_it_is_imported_those_that_run_what_imports_it(data: CoverageData) -> None:
    path = FEATURES / "comments/access.py"
    importing = min(imports().find_modules_that_directly_import("glasswork.features.comments.access"))
    run(data, OTHER, Path(*importing.split(".")).with_suffix(".py"), 1)
    assert Reach(data).of(mutant_in(path, "forgotten")) == [OTHER]


def test_no_more_than_can_be_run_in_some_seconds(data: CoverageData) -> None:
    mutant = mutant_in(POLICY, "negated")
    names = [f"{OWN}[{number}]" for number in range(200)]
    for name in names:
        run(data, name, POLICY, mutant.line)
    chosen = Reach(data).of(mutant)
    assert len(chosen) < 100
    assert {*chosen} < {*names}
    assert chosen == Reach(data).of(mutant)


def test_what_is_imported_beforehand_leads_to_no_mistake() -> None:
    modules = {*modules_without_aims()}
    assert {"glasswork.features.tasks.models", "glasswork.core.db"} <= modules
    assert not modules & {".".join(each.path.with_suffix("").parts) for each in all_mutants()}
    assert "glasswork.features.tasks.router" not in modules
