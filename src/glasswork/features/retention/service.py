from collections.abc import Awaitable, Callable
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
            PurgeRepository.purge_tasks,
            PurgeRepository.purge_tasks_of_projects,
            PurgeRepository.purge_tasks_of_workspaces,
            PurgeRepository.purge_comments,
            PurgeRepository.purge_deliveries,
            PurgeRepository.purge_webhooks,
            PurgeRepository.purge_hooks,
            PurgeRepository.purge_imports,
            PurgeRepository.purge_reports,
            PurgeRepository.purge_projects,
            PurgeRepository.purge_workspaces,
            PurgeRepository.purge_remains,
            PurgeRepository.purge_traces,
            PurgeRepository.purge_notifications,
            PurgeRepository.purge_letters,
            PurgeRepository.purge_guesses,
            PurgeRepository.purge_messages,
            PurgeRepository.purge_keys,
            PurgeRepository.purge_archives,
        ):
            while await self._step(step) == BATCH:
                pass

    async def _step(self, step: Callable[[PurgeRepository], Awaitable[int]]) -> int:
        async with self._database.system_transaction() as session:
            return await step(PurgeRepository(session, self._age, BATCH))
