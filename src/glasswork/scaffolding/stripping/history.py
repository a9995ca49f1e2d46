"""What the revisions of the schema do beside tables: policies, functions, the schema of the jobs."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from glasswork.core.migrations import alembic_config

_OF_DATA = re.compile(r"\s*(?:SET|UPDATE|INSERT|DELETE|WITH|DO)\s", re.IGNORECASE)


def raw_statements() -> list[str]:
    """Return what all revisions together execute as SQL, in their order, but for changes of rows."""
    written: list[str] = []
    scripts = ScriptDirectory.from_config(alembic_config())
    options = {"as_sql": True, "output_buffer": io.StringIO(), "literal_binds": True}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with Operations.context(context), _recording(written):
        for script in reversed([*scripts.walk_revisions()]):
            script.module.upgrade()
    return [dedent(each).strip() for each in written if not _OF_DATA.match(each)]


@contextmanager
def _recording(written: list[str]) -> Iterator[None]:
    """Keep what a revision gives to `op.execute`; statements of SQLAlchemy's are about rows."""

    def record(statement: Any, **_: Any) -> None:
        if isinstance(statement, str):
            written.append(statement)

    execute = op.execute
    setattr(op, "execute", record)  # noqa: B010 (a module that is made to be called, not changed)
    try:
        yield
    finally:
        setattr(op, "execute", execute)  # noqa: B010 (likewise)
