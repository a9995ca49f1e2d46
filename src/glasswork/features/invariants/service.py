from collections.abc import Sequence

import structlog

from glasswork.core.db import Database
from glasswork.core.errors import AppError
from glasswork.core.telemetry.metrics import Metrics

from .models import Rule
from .repository import InvariantRepository

log = structlog.get_logger()

EXAMPLES = 10


class InvariantService:
    """Looks whether the data are as they must be, and tells; it repairs nothing."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def check(self) -> None:
        """A rule that the database does not answer in its time keeps the age of its last check."""
        for rule in Rule:
            try:
                await self._check(rule)
            except AppError:
                log.warning("invariant.not_checked", rule=rule.value)

    async def violations(self, rule: Rule) -> Sequence[str]:
        """Return the ids of what breaks the rule, and tell nobody else."""
        async with self._database.reading() as session:
            return await InvariantRepository(session).find_violations(rule)

    async def _check(self, rule: Rule) -> None:
        found = await self.violations(rule)
        self._metrics.invariant_violations.labels(rule.value).set(len(found))
        self._metrics.invariant_checked.labels(rule.value).set_to_current_time()
        if found:
            examples = " ".join(found[:EXAMPLES])
            log.error("invariant.violated", rule=rule.value, found=len(found), examples=examples)
