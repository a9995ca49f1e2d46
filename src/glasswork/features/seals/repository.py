from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.statements import AnyRow
from glasswork.features.hooks.models import Hook
from glasswork.features.hooks.policy import purpose_of as purpose_of_hook
from glasswork.features.imports.models import Import
from glasswork.features.imports.policy import purpose_of as purpose_of_import
from glasswork.features.second_factors.models import TotpSecret
from glasswork.features.second_factors.policy import purpose_of as purpose_of_totp
from glasswork.features.webhooks.models import Webhook
from glasswork.features.webhooks.policy import purpose_of as purpose_of_webhook


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of secrets, each sealed for a purpose that its row's id makes."""

    id: Any
    secret: Any
    purpose: Callable[[UUID], str]


SEALED = (
    Sealed(TotpSecret.user_id, TotpSecret.secret, purpose_of_totp),
    Sealed(Webhook.id, Webhook.secret, purpose_of_webhook),
    Sealed(Webhook.id, Webhook.previous_secret, purpose_of_webhook),
    Sealed(Hook.id, Hook.secret, purpose_of_hook),
    Sealed(Hook.id, Hook.previous_secret, purpose_of_hook),
    Sealed(Import.id, Import.secret, purpose_of_import),
)


class SealRepository:
    def __init__(self, session: AsyncSession, sealed: Sealed) -> None:
        self._session = session
        self._sealed = sealed

    async def after(self, row_id: UUID, limit: int) -> Sequence[AnyRow]:
        """Return `id` and `secret` of the next rows in the order of their ids."""
        following = (
            select(self._sealed.id.label("id"), self._sealed.secret.label("secret"))
            .where(self._sealed.id > row_id, self._sealed.secret.is_not(None))
            .order_by(self._sealed.id)
            .limit(limit)
        )
        return (await self._session.execute(following)).all()

    async def reseal(self, row_id: UUID, secret: str, resealed: str) -> None:
        """Unless there is another secret by now; nobody sees the difference, so no version rises."""
        table = self._sealed.id.class_.__table__
        columns = table.c
        same = update(table).where(
            columns[self._sealed.id.key] == row_id, columns[self._sealed.secret.key] == secret
        )
        kept = {"updated_at": columns.updated_at} if "updated_at" in columns else {}
        await self._session.execute(same.values({self._sealed.secret.key: resealed, **kept}))
