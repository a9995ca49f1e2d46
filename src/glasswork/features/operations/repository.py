from collections.abc import Sequence

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

# What we send has placeholders; what others have typed may hold values, and is told without them.
_ACTIVITY = text("""
    SELECT pid, application_name AS application, state,
        extract(epoch FROM now() - CASE state WHEN 'active' THEN query_start ELSE state_change END)::float
            AS seconds,
        CASE WHEN state = 'active' THEN wait_event_type || ': ' || wait_event END AS waits_for,
        pg_blocking_pids(pid) AS blocked_by,
        left(regexp_replace(
            regexp_replace(query, '''(?:[^'']|'''')*''', '?', 'g'), '(?<![$\\w])\\d+', '?', 'g'
        ), 1000) AS query
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    ORDER BY state = 'idle', seconds DESC
    LIMIT 100
""")


class DatabaseRepository:
    """What the database's own view of its sessions tells."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def activity(self) -> Sequence[RowMapping]:
        return (await self._session.execute(_ACTIVITY)).mappings().all()
