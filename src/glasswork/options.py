"""What commands of the terminal have in common."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(help="Where the embedded database and the secrets are kept.", show_default="the user's"),
]

FIELD_HELP = """NAME:TYPE, and behind it ? (can be null), unique (in a workspace), = VALUE (if none is sent).

Types: str(N), a line of at most N characters, 200 by default; text, of many lines, empty by default; int;
decimal(P,S), P digits of which S stand behind the point, 12 and 2 by default; bool; date; datetime;
enum(A|B|C); url; user?, a member of the workspace. Repeat it for each field."""
