"""Whether the tests of isolation, policies and sessions notice a mistake."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Self

import pytest
from sqlalchemy import make_url

from glasswork.core.embedded import EmbeddedPostgres
from tests.databases import SERVING, Server

from .aims import SOURCES
from .mutants import Mutant
from .reach import CONTRACT, ROOT, SESSIONS, modules_without_aims

LONG_SECONDS, SHORT_SECONDS = 1800, 30
PYTEST_OPTIONS = ("-qrfE", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "timeout=600", "--assert=plain")
_BESIDES = ("httpx2", "schemathesis")
"""What takes its time to import, and is of the tests."""
FEATURES = Path("tests/features")
PRINTED = "printed"
QUICK = "not slow and not long"
_TOLD = re.compile(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - |$)", re.MULTILINE)
_UNFIT = re.compile(r"errors? during collection|while loading conftest")


class Fate(StrEnum):
    KILLED = "killed"
    LIVED = "lived"
    UNFIT = "unfit"
    """It could not even be imported, which tells nothing of the tests."""


@dataclass(frozen=True)
class Outcome:
    fate: Fate
    told: str = ""
    """By the tests."""


def first_told(output: str) -> str | None:
    """Find the first test that failed, by the whole name that runs it alone; it may have spaces."""
    found = _TOLD.search(output)
    return found and found[1]


def tests_of(path: Path) -> list[list[str]]:
    """The options of each run of pytest: first the tests that most likely notice, those of its slice."""
    slice_ = path.parts[2] if path.parts[1] == "features" else ""
    own = FEATURES / slice_
    knowing = _knowing(path)
    if not slice_:
        first = list(SESSIONS)
    elif (ROOT / own).is_dir():
        first = [str(own)]
    else:
        first = knowing
    sessions = SESSIONS if slice_ in {"accounts", "api_tokens"} else ()
    last = [name for name in (*sessions, *knowing) if name not in first]
    runs = [["-m", QUICK, *names] for names in (first, CONTRACT, last) if names]
    return [*runs, ["-m", "slow", CONTRACT[1]]]


def _knowing(path: Path) -> list[str]:
    """The tests of the slices that import it, or what else has to do with the rows of its slice.

    Those too that import it themselves. A slice without tests is tested by what others make of it: whatever
    is imported of it leads on.
    """
    found: dict[str, None] = {}
    met, ahead = set(), [path]
    while ahead:
        package, imports = _imports_of(ahead.pop())
        if package in met:
            continue
        met.add(package)
        for folder in sorted((SOURCES / "glasswork/features").iterdir()):
            tests = [*(ROOT / FEATURES / folder.name).glob("*.py")]
            if any(imports.search(each.read_text()) for each in (*folder.glob("*.py"), *tests)):
                if tests:
                    found[str(FEATURES / folder.name)] = None
                else:
                    ahead.append(Path("glasswork/features", folder.name, "service.py"))
    return [*found]


def _imports_of(path: Path) -> tuple[str, re.Pattern[str]]:
    package = ".".join(path.parts[:-1])
    has_tests = path.parts[1] != "features" or (ROOT / FEATURES / path.parts[2]).is_dir()
    names = rf"\b({'|'.join({path.stem, 'models', 'access', 'service'})})\b" if has_tests else r"\w+"
    return package, re.compile(rf"from {package}(\.{names}| import .*{names})")


@dataclass(frozen=True)
class Run:
    code: int | None
    """None: it took too long."""
    printed: str


@dataclass(frozen=True)
class Bench:
    """A copy of the sources, and a server on which row security stops nobody: the statements stand alone."""

    home: Path
    server: Server
    forking: subprocess.Popen[str]
    soundness: dict[str, bool] = field(default_factory=dict)
    """Of each test that has noticed something."""

    @classmethod
    @contextmanager
    def made(cls) -> Iterator[Self]:
        with tempfile.TemporaryDirectory(prefix="glasswork_mutants_", ignore_cleanup_errors=True) as name:
            home = Path(name)
            home.chmod(0o755)  # as root the server runs as a user who must get in
            shutil.copytree(SOURCES, home / "src")
            (home / "migrations").symlink_to(ROOT / "migrations")
            with EmbeddedPostgres(home / "embedded", durable=False) as postgres:
                server = Server(make_url(postgres.url("postgres", "postgres")), home.name)
                asyncio.run(server.make_template())
                asyncio.run(server.execute(f"ALTER ROLE {SERVING} BYPASSRLS"))
                with _forking(home, server) as forking:
                    yield cls(home, server, forking)

    def try_(self, mutant: Mutant, runs: Sequence[Sequence[str]] = (), first: Sequence[str] = ()) -> Outcome:
        """Run some tests first, and if none of them notices, the others run by run."""
        while True:
            outcome = self._try_once(mutant, runs or tests_of(mutant.path), first)
            assert outcome.told not in self.unsound
            if outcome.fate is not Fate.KILLED or self._is_sound(outcome.told):
                return outcome

    def _is_sound(self, test: str) -> bool:
        """Whether it passes without a mistake."""
        if test not in self.soundness:
            self.soundness[test] = self.run("-m", "", test).code == 0
        return self.soundness[test]

    @property
    def unsound(self) -> list[str]:
        return [test for test, is_sound in self.soundness.items() if not is_sound]

    def _try_once(self, mutant: Mutant, runs: Sequence[Sequence[str]], first: Sequence[str]) -> Outcome:
        with self._changed(mutant):
            outcome = self._try([first], SHORT_SECONDS) if first else Outcome(Fate.LIVED)
            return outcome if outcome.fate is not Fate.LIVED else self._try(runs, LONG_SECONDS)

    def _try(self, runs: Sequence[Sequence[str]], seconds: int) -> Outcome:
        """Run by run, until something fails."""
        for number, options in enumerate(runs):
            unbelieved = [option for test in self.unsound for option in ("--deselect", test)]
            while True:
                run = self.run("-x", *options, *unbelieved, seconds=seconds)
                if run.code is None:
                    return Outcome(Fate.LIVED, f"nothing was told within {seconds} s")
                if run.code in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
                    break
                told = first_told(run.printed)
                if run.code != pytest.ExitCode.TESTS_FAILED or not told or _UNFIT.search(run.printed):
                    return Outcome(Fate.UNFIT, run.printed[-2000:])
                # What runs for minutes may fail since the machine is busy: it is believed if it does alone.
                if number == 0 or self.run("-x", "-m", "", told).code == pytest.ExitCode.TESTS_FAILED:
                    return Outcome(Fate.KILLED, told)
                unbelieved += ["--deselect", told]
        return Outcome(Fate.LIVED)

    def run(self, *options: str, seconds: int = LONG_SECONDS) -> Run:
        assert self.forking.stdin
        assert self.forking.stdout
        _send(self.forking.stdin, ([*PYTEST_OPTIONS, *options], seconds))
        code = json.loads(self.forking.stdout.readline())
        return Run(code, (self.home / PRINTED).read_text())

    @contextmanager
    def _changed(self, mutant: Mutant) -> Iterator[None]:
        file = self.home / "src" / mutant.path
        original = file.read_bytes()
        try:
            _write(file, mutant.content)
            yield
        finally:
            _write(file, original)


@contextmanager
def _forking(home: Path, server: Server) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "GLASSWORK_TEST_HOME": str(home),
        "TEST_DATABASE_URL": server.superuser.render_as_string(hide_password=False),
        "PYTHONPATH": str(home / "src"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
    }
    command = (sys.executable, "-m", "tests.mutants.forking", home / PRINTED)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        _send(process.stdin, [*_BESIDES, *modules_without_aims()])
        yield process


def _send(stream: IO[str], message: object) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def _write(file: Path, content: bytes) -> None:
    """Python knows a compiled file by size and second: neither need differ."""
    file.write_bytes(content)
    for compiled in file.parent.glob(f"__pycache__/{file.stem}.*.pyc"):
        compiled.unlink()
