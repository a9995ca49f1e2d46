"""What a revision needs to change a large table while others use it; see docs/migrations.md."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from alembic import op

LIMITS: Final = {"lock_timeout": "500ms", "statement_timeout": "2s"}
"""Of a session that migrates: who comes after a statement that waits for a lock waits for it, too.

A request waits 2.5 s for a lock, three times.
"""
_UNHURRIED = {"lock_timeout": "10min", "statement_timeout": "0", "max_parallel_maintenance_workers": "0"}
"""Waiting, too, holds up nobody: it is for old transactions, such as a backup. One core does the work."""


@contextmanager
def autocommit() -> Iterator[None]:
    """Outside a transaction, each statement for as long as it takes: for what lets others read and write.

    What the revision did before is committed here and done again by the next try, so begin with this.
    """
    with op.get_context().autocommit_block():
        _set(_UNHURRIED)
        try:
            yield
        finally:
            _set(LIMITS)


def create_index(name: str, table: str, columns: Sequence[Any], **options: Any) -> None:
    """Build it while others write; what an attempt that was broken off has left of it is dropped first."""
    with autocommit():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, if_not_exists=True, postgresql_concurrently=True, **options)


def drop_index(name: str, table: str) -> None:
    with autocommit():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)


def _set(limits: Mapping[str, str]) -> None:
    for name, value in limits.items():
        op.execute(f"SET {name} = '{value}'")
