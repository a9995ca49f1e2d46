"""Time that passes for those who have guessed wrong."""

from sqlalchemy import text

from glasswork.core.db import Database

_PASS = text("""
    UPDATE guess_counts SET
        counted_at = counted_at - make_interval(secs => :seconds),
        blocked_until = blocked_until - make_interval(secs => :seconds),
        right_at = right_at - make_interval(secs => :seconds)
""")


async def wait(database: Database, *, seconds: float = 0, days: float = 0) -> None:
    async with database.system_transaction() as session:
        await session.execute(_PASS, {"seconds": seconds + days * 86_400})
