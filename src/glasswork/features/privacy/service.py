from datetime import timedelta

from glasswork.core.db import Database

from .repository import PurgeRepository

BATCH = 500


class PurgeService:
    """Deleted things can be restored for a while; then they are gone."""

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._age = timedelta(days=retention_days)

    async def purge(self) -> None:
        """In transactions of a bounded size; tasks first, so that no cascade is a large one."""
        for step in (
            "purge_tasks",
            "purge_projects",
            "purge_workspaces",
            "purge_labels_and_invitations",
            "purge_traces",
        ):
            while await self._step(step) == BATCH:
                pass

    async def _step(self, step: str) -> int:
        async with self._database.transaction() as session:
            purged: int = await getattr(PurgeRepository(session, self._age, BATCH), step)()
            return purged
