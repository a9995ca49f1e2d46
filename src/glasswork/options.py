"""What commands of the terminal have in common."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(help="Where the embedded database and the secrets are kept.", show_default="the user's"),
]
