import re
from pathlib import Path
from typing import NamedTuple

_EXAMPLE = Path(__file__).parents[2] / ".env.example"
_SETTING = re.compile(r"# ([A-Z][A-Z0-9_]+)=(.*)")

_HEAD = """# Settings

Variables of the environment, or lines of a `.env` file in the folder where the program is started; the
environment wins. Each can be read from a file instead: `JWT_SECRET_FILE=/run/secrets/jwt_secret`. They are
read once, at the start, which names what lacks or is not valid; `glasswork doctor`
[looks at them](../doctor.md).

| Setting | Default | Meaning |
|---|---|---|
"""


class Setting(NamedTuple):
    name: str
    default: str
    meaning: str


def settings() -> list[Setting]:
    """What `.env.example` tells: a paragraph of comments, and the settings that it is about."""
    found: list[Setting] = []
    for paragraph in _EXAMPLE.read_text().split("\n\n"):
        lines = paragraph.strip().splitlines()
        names = [_SETTING.fullmatch(line) for line in lines]
        words = " ".join(
            line.removeprefix("# ") for line, name in zip(lines, names, strict=True) if name is None
        )
        found += [Setting(name[1], name[2], words) for name in names if name]
    return found


def settings_page() -> str:
    rows = (
        f"| `{name}` | {f'`{default}`' if default else ''} | {meaning.replace('|', chr(92) + '|')} |\n"
        for name, default, meaning in settings()
    )
    return _HEAD + "".join(rows)
