"""The first line of isolation with a hole in it: as if the join of memberships were forgotten."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from fastapi import FastAPI

from glasswork.core.db import Database
from tests.statements import watching

from .matrix import DUE
from .walker import Operation, operations

STRANGERS = ("outsider", "ex_member", "token_elsewhere")

_IS_MEMBER = re.compile(
    r"(memberships\.user_id = \$\d+::UUID) (AND memberships\.removed_at IS NULL AND workspaces)"
)
_IS_OPEN_TO_TOKEN = re.compile(r"api_tokens\.workspace_id = memberships\.workspace_id")


def foreign_writes(app: FastAPI) -> list[Operation]:
    """Those that answer a stranger 404."""
    return [
        operation
        for operation in operations(app)
        if operation.method != "GET" and DUE[operation.name].get("outsider") == 404
    ]


@contextmanager
def without_joins(database: Database, owner_id: UUID) -> Iterator[None]:
    """Let everybody see, besides what is their own, what this owner does."""

    def break_(statement: str, _: object) -> str:
        statement = _IS_MEMBER.sub(rf"(\1 OR memberships.user_id = '{owner_id}') \2", statement)
        return _IS_OPEN_TO_TOKEN.sub("true", statement)

    with watching(database, break_):
        yield
