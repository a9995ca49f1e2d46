"""Writes the first revision of a package's schema; a program of its own, since it imports that package.

`python base_revision.py PACKAGE < statements.json` prints the file: the tables are those of the package's
models, and what else there is comes from the statements, as far as they are about those tables.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from textwrap import indent

from alembic.autogenerate.api import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy import MetaData

_TABLE = re.compile(r"^(?:ALTER TABLE|CREATE POLICY \w+ ON) (\w+) ", re.MULTILINE)

_FILE = '''"""The schema as it begins."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from {package}.core.row_security import IS_THE_ACTORS, policies

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

{jobs}
{functions}
PROTECTED = {protected}
"""Tables of a workspace: who writes in them must be one of its members, or the system."""
{others}

def upgrade() -> None:  # noqa: PLR0915 (one a table)
    for statement in JOBS:
        op.execute(statement)
{tables}
    for statement in FUNCTIONS:
        op.execute(statement)
    for table in PROTECTED:
        _protect(table)
    for table in OF_USERS:
        _protect(table, IS_THE_ACTORS)
    for statement in OTHERS:
        op.execute(statement)


def _protect(table: str, *is_mine: str) -> None:
    for statement in policies(table, *is_mine):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION actor_workspaces() CASCADE")  # the policies that ask it
{drops}
    op.execute("DROP SCHEMA jobs CASCADE")
'''


def write(package: str, statements: Iterable[str]) -> str:
    metadata: MetaData = import_module(f"{package}.models").Base.metadata
    security = import_module(f"{package}.core.row_security")
    tables = metadata.sorted_tables
    names = {table.name for table in tables}
    ours = [each for each in statements if all(name in names for name in _TABLE.findall(each))]
    jobs = [each for each in ours if "jobs." in each or each.endswith(" jobs")]
    functions = [each for each in ours if each.startswith("CREATE FUNCTION") and each not in jobs]
    left = [each for each in ours if each not in jobs and each not in functions]
    protected = list(_taken(left, names, security.policies))
    of_users = list(_taken(left, names, lambda table: security.policies(table, security.IS_THE_ACTORS)))
    return _FILE.format(
        package=package,
        jobs=_constant("JOBS", jobs),
        functions=_constant("FUNCTIONS", functions),
        protected=tuple(protected),
        others=f"OF_USERS = {tuple(of_users)}\n{_constant('OTHERS', left)}",
        tables=_code(_creations(metadata)),
        drops="\n".join(f'    op.drop_table("{table.name}")' for table in reversed(tables)),
    )


def _taken(left: list[str], tables: Iterable[str], policies: Callable[[str], Iterator[str]]) -> Iterator[str]:
    """Yield the tables that have just these policies, whose statements are then no longer left."""
    for table in sorted(tables):
        its = list(policies(table))
        if all(each in left for each in its):
            for each in its:
                left.remove(each)
            yield table


def _creations(metadata: MetaData) -> Iterator[ops.MigrateOperation]:
    for table in metadata.sorted_tables:
        yield ops.CreateTableOp.from_table(table)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield ops.CreateIndexOp.from_index(index)


def _code(operations: Iterable[ops.MigrateOperation]) -> str:
    context = MigrationContext.configure(dialect_name="postgresql")
    return render_python_code(ops.UpgradeOps([*operations]), migration_context=context)


def _constant(name: str, statements: Sequence[str]) -> str:
    written = "\n".join(f'    """\n{indent(each, "    ")}\n    """,' for each in statements)
    return f"{name} = (\n{written}\n)" if statements else f"{name}: tuple[str, ...] = ()"


if __name__ == "__main__":
    sys.stdout.write(write(sys.argv[1], json.load(sys.stdin)))
