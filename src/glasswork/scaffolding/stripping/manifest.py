"""What belongs to the tracker, as far as no reference tells it: `manifest.toml`."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from .references import Gone
from .sources import module_name

PLACE = Path(__file__).with_name("manifest.toml")


@dataclass(frozen=True, slots=True)
class Manifest:
    slices: Sequence[str]
    files: Sequence[str]
    """Patterns of paths; `*` stands for any characters, also for slashes."""
    kept: Sequence[str]
    """Patterns of paths that stay although one of `files` names them."""
    public: Sequence[str]
    """`path::name` of what stays although nobody uses it."""
    definitions: Sequence[str]
    """`path::name` or `path::Class.name`."""
    words: Sequence[str]
    """Patterns of strings in tests."""
    substitutes: Mapping[str, str]
    """What is put for what in tests, before anything is pruned."""
    edits: Mapping[str, Mapping[str, str]]
    """By the path of a file, what is put for what a regular expression finds."""

    @classmethod
    def read(cls) -> "Manifest":
        return cls(**tomllib.loads(PLACE.read_text()))

    def takes(self, path: Path) -> bool:
        """Whether a file goes."""
        text = path.as_posix()
        folders = tuple(
            f"{place}/{each}/"
            for each in self.slices
            for place in ("src/glasswork/features", "tests/features")
        )
        is_named = any(fnmatch(text, each) for each in self.files) and not any(
            fnmatch(text, each) for each in self.kept
        )
        return text.startswith(folders) or is_named

    def gone(self, paths: Sequence[Path]) -> Gone:
        """Return what is gone when these files are."""
        modules = {module_name(path) for path in paths if path.suffix == ".py"}
        gone = Gone(modules=modules | {f"glasswork.features.{each}" for each in self.slices})
        gone.words = re.compile("|".join(self.words))
        gone.public = {
            (module_name(Path(path)), name)
            for path, _, name in (each.partition("::") for each in self.public)
        }
        for definition in self.definitions:
            path, _, name = definition.partition("::")
            class_, _, attribute = name.partition(".")
            if attribute:
                gone.attributes.add((module_name(Path(path)), class_, attribute))
            else:
                gone.names.add((module_name(Path(path)), name))
        return gone
