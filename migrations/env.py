"""`glasswork migrate` hands over its connection; `alembic` itself opens one as the owning role.

With `--sql` nothing is connected to: the statements are printed that would be sent.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection

from glasswork.core.migrations import owner_engine
from glasswork.core.online_ddl import LIMITS
from glasswork.core.settings import Settings
from glasswork.models import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def render() -> None:
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
    for name, value in LIMITS.items():
        context.execute(f"SET {name} = '{value}'")
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run() -> None:
    engine = owner_engine(Settings().owner_database_url.get_secret_value())
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    render()
elif (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(connect_and_run())
