"""Where the database is: the engine takes an URL, and the driver its parts."""

from typing import Any

from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

_OF_THE_ENGINE = {"prepared_statement_cache_size", "prepared_statement_name_func", "async_creator_fn"}
"""What SQLAlchemy takes for itself before it asks the driver."""


def place_of(url: str) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect` for an URL as SQLAlchemy takes it."""
    dialect: Any = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
    place: dict[str, Any] = dialect.create_connect_args(make_url(url))[1]
    for name in _OF_THE_ENGINE & place.keys():
        del place[name]
    return place
