"""Which tests run a line."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Self

import grimp
from coverage import CoverageData

from .aims import SOURCES, all_mutants
from .mutants import Mutant

ROOT = SOURCES.parent
CACHE = ROOT / ".pytest_cache/mutants"
CONTRACT = ("tests/contract/test_access.py", "tests/contract/test_foreign_ids.py")
SESSIONS = (
    *("tests/core/test_tokens.py", "tests/core/http/test_bearer.py", "tests/core/http/test_rate_limit.py"),
    *("tests/features/test_token_kinds.py", "tests/features/accounts", "tests/features/api_tokens"),
)
TESTS = ("tests/features", *SESSIONS[:3], *CONTRACT)
NEAR, BESIDE, FAR = 50, 30, 40
_MEASURED = (
    *("-q", "-n", "2", "--dist", "loadgroup"),
    *("--cov", "--cov-context", "test", "--cov-report", ""),
)


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("glasswork")


def modules_without_aims() -> list[str]:
    """Those whose imports lead to nothing in which a mistake is made."""
    reached = _aims().union(*(imports().find_downstream_modules(each) for each in _aims()))
    return sorted(imports().modules - reached)


@cache
def _aims() -> set[str]:
    return {_module(mutant.path) for mutant in all_mutants()}


class Reach:
    """Coverage of the tests, each in a context of its own."""

    def __init__(self, data: CoverageData) -> None:
        self._data = data
        files = (file for file in data.measured_files() if Path(file).is_relative_to(SOURCES))
        self._files = {Path(file).relative_to(SOURCES): file for file in files}

    @classmethod
    def measured(cls) -> Self:
        """Run them all; what was found stays good until a line of sources or tests changes."""
        found = CACHE / f"{_digest()}.coverage"
        if not found.exists():
            _measure(found.with_suffix(".new"))
            found.with_suffix(".new").rename(found)
        data = CoverageData(str(found))
        data.read()
        return cls(data)

    def of(self, mutant: Mutant) -> list[str]:
        """Some that run the function in which it is, and then some that run its file, or what imports it.

        Of its slice come first; which, the name of the mutant decides.
        """
        function = _function_around(mutant)
        lines = self._tests(mutant.path)
        near = set(chain(*(lines.get(line, ()) for line in function))) if function else set()
        far = set(chain(*lines.values()))
        if not function:
            far = far.union(*(chain(*self._tests(path).values()) for path in _importing(mutant.path)))
        own = {test for test in near | far if test.startswith(_tests_of_slice(mutant.path))}

        def some(tests: Iterable[str], number: int) -> Iterator[str]:
            return islice(
                sorted(tests, key=lambda test: sha256(f"{mutant.name} {test}".encode()).digest()), number
            )

        ranks = ((near & own, NEAR), (near - own, BESIDE), (own - near, FAR), (far - near - own, BESIDE))
        return [test for tests, number in ranks for test in some(tests, number)]

    def _tests(self, path: Path) -> dict[int, list[str]]:
        if path not in self._files:
            return {}
        contexts = self._data.contexts_by_lineno(self._files[path])
        return {line: [name.rpartition("|")[0] for name in names if name] for line, names in contexts.items()}


def _measure(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    config = file.with_suffix(".ini")
    modules = _aims().union(*(imports().find_modules_that_directly_import(each) for each in _aims()))
    config.write_text(f"[run]\nconcurrency = thread, greenlet\nsource = {', '.join(sorted(modules))}\n")
    command = (sys.executable, "-m", "pytest", *_MEASURED, "--cov-config", str(config), *TESTS)
    environment = {name: value for name, value in os.environ.items() if name != "GLASSWORK_TEST_HOME"}
    environment["COVERAGE_FILE"] = str(file)
    run = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def _digest() -> str:
    digest = sha256()
    for path in sorted([*SOURCES.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
        if path.parent != Path(__file__).parent:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _tests_of_slice(path: Path) -> str:
    return f"tests/features/{path.parts[2]}/"


def _importing(path: Path) -> Iterator[Path]:
    for name in imports().find_modules_that_directly_import(_module(path)):
        yield Path(*name.split(".")).with_suffix(".py")


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _function_around(mutant: Mutant) -> range | None:
    """Return the lines of its body; what is outside of functions runs while no test does."""
    tree = ast.parse((SOURCES / mutant.path).read_bytes())
    around = [
        range(each.lineno + 1, (each.end_lineno or each.lineno) + 1)
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and each.lineno <= mutant.line <= (each.end_lineno or 0)
    ]
    return around[-1] if around else None
