"""Tests are chosen by the lines that they run."""

from pathlib import Path

import pytest
from coverage import CoverageData

from .aims import SOURCES, all_mutants
from .mutants import Mutant
from .reach import Reach, modules_without_aims

FEATURES = "glasswork/features"
OWN, OTHER, IMPORTING = (
    f"tests/{name}::test_a[of b]"
    for name in ("features/audit/test_audit.py", "core/test_c.py", "contract/test_d.py")
)


def mutant_in(path: str, text: str) -> Mutant:
    return next(
        each for each in all_mutants() if str(each.path) == f"{FEATURES}/{path}" and text in each.mistake
    )


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    data = CoverageData(str(tmp_path / "coverage"))
    policy = mutant_in("audit/policy.py", "can_")
    for test, path, line in (
        (OTHER, policy.path, policy.line),
        (OWN, policy.path, policy.line),
    ):
        data.set_context(f"{test}|run")
        data.add_lines({str(SOURCES / path): [line]})
    return Reach(data)


def test_what_reaches_no_aim_is_no_aim() -> None:
    modules = modules_without_aims()
    assert "glasswork.features.tasks.models" in modules
    aims = {".".join(each.path.with_suffix("").parts) for each in all_mutants()}
    assert not aims & {*modules}
    assert "glasswork.features.tasks.service" not in modules
