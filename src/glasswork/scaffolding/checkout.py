"""The checkout that a feature is written into, and the developer's tools beside it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from glasswork.core.errors import StartError

from .errors import RefusedError

OF_NEW: Final = "F401"
"""What ruff mends of a file that is new: a template imports all that any feature could need."""
OF_ALL: Final = "I,RUF022"
"""The order of imports, and of `__all__`."""

_REVISION = re.compile(r'^revision = "(\w+)"\ndown_revision = (?:"(\w+)"|None)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """Of a file, by its path from the top of the checkout."""

    path: Path
    content: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Checkout:
    root: Path
    package: str

    @classmethod
    def of(cls, package_folder: Path) -> "Checkout":
        """Raise RefusedError where the package does not lie in a checkout with all that is changed."""
        root = package_folder.parents[1]
        needed = ("pyproject.toml", "migrations/versions", "tests/contract")
        missing = [name for name in needed if not (root / name).exists()]
        if missing or package_folder.parent.name != "src":
            raise RefusedError(
                "new-feature writes source, so it works in a checkout of the repository alone, installed with"
                f" `uv sync`; {root} is none."
            )
        return cls(root, package_folder.name)

    def read(self, path: Path) -> str:
        return (self.root / path).read_text()

    def has_sources(self, package: Path) -> bool:
        """Whether there is a package or a module; what git has left of one is none."""
        place = self.root / package
        return place.with_suffix(".py").is_file() or any(place.glob("*.py"))

    def sources(self) -> Iterator[Path]:
        return (self.root / "src" / self.package).rglob("*.py")

    def last_revision(self) -> str:
        """Raise RefusedError where the numbers of revisions have no end, or several."""
        found = [
            match.groups()
            for file in (self.root / "migrations/versions").glob("*.py")
            if (match := _REVISION.search(file.read_text()))
        ]
        heads = {own for own, _ in found} - {before for _, before in found}
        if len(heads) != 1 or not (head := heads.pop()).isdecimal():
            raise RefusedError(
                f"The migrations need one last revision with a number, and have {sorted(heads)}."
            )
        return head

    def write(self, texts: Sequence[Text]) -> None:
        """Write the files as the gates want them: what is whose, ruff sees when they are there."""
        ruff = _tool("ruff")
        for text in texts:
            path = self.root / text.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.content)
        files = [str(text.path) for text in texts if text.path.suffix == ".py"]
        new = [str(text.path) for text in texts if text.is_new]
        self._run([ruff, "check", "--quiet", "--fix-only", "--select", OF_NEW, *new])
        self._run([ruff, "check", "--quiet", "--fix-only", "--select", OF_ALL, *files])
        self._run([ruff, "format", "--quiet", *files])

    def generate_docs(self) -> None:
        """Raise StartError, with what it said, where the documents of the code cannot be made anew."""
        if (self.root / "docs/reference").is_dir():
            path = os.pathsep.join(filter(None, [str(self.root / "docs"), os.environ.get("PYTHONPATH")]))
            self._run([sys.executable, "-m", "reference"], PYTHONPATH=path)

    def _run(self, command: Sequence[str], **environment: str) -> None:
        ended = subprocess.run(  # noqa: S603 (our own programs, without a shell)
            command,
            cwd=self.root,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise StartError(f"{' '.join(command)} has failed:\n{ended.stdout}{ended.stderr}", 1)


def _tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RefusedError(f"{name} is needed, which comes with the developer's tools: uv sync")
    return found
