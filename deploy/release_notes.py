"""Print what the changelog says of a version: `python3 deploy/release_notes.py v1.2.3`.

A release is made of a tag, pyproject's version and a section of docs/CHANGELOG.md, `## 1.2.3` with or
without more behind it; where they don't fit this says what is wrong, and ends with 1. Needs only Python.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


class UnfitError(Exception):
    """The tag, the version and the changelog don't fit together."""


def notes(tag: str, pyproject: str, changelog: str) -> str:
    """Return the section of the version that the tag names, without its heading."""
    version = tomllib.loads(pyproject)["project"]["version"]
    if tag != f"v{version}":
        raise UnfitError(
            f"The tag is {tag}, but pyproject.toml has version {version}: it must be v{version}."
        )
    for section in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        if heading.split() and heading.split()[0] == version:
            if text.strip():
                return text.strip() + "\n"
            raise UnfitError(f"docs/CHANGELOG.md says nothing under ## {version}.")
    raise UnfitError(
        f"docs/CHANGELOG.md has no section ## {version}: uv run towncrier build --version {version}."
    )


def main(tag: str) -> None:
    texts = ((ROOT / path).read_text() for path in ("pyproject.toml", "docs/CHANGELOG.md"))
    try:
        sys.stdout.write(notes(tag, *texts))
    except UnfitError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
