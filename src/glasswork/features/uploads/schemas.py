from typing import Annotated

from pydantic import AfterValidator, Field

_RESERVED = {".", ".."}


def _is_plain(name: str) -> str:
    if name in _RESERVED or not name.isprintable() or name != name.strip() or {*name} & {"/", "\\"}:
        raise ValueError("must be the name of a file: printable, without folders and without space around it")
    return name


FileName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        json_schema_extra={"pattern": r"^[^/\\\x00]*$"},
        description="The file's name, by which the task knows it.",
        examples=["report.pdf"],
    ),
    AfterValidator(_is_plain),
]
