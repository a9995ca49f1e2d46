from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import BigInteger, Integer, case, cast, delete, extract, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.errors import RateLimitError
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, refuse
from glasswork.features.accounts.models import User

from .models import RecoveryCode, TotpSecret
from .policy import MAX_ATTEMPTS, PAUSE

_NOW = cast(func.floor(extract("epoch", func.now())), BigInteger).label("now")
_IS_ON = TotpSecret.confirmed_at.is_not(None)
_HAS_RESTED = TotpSecret.attempted_at < func.now() - PAUSE
_LEFT = (
    select(func.count())
    .where(RecoveryCode.user_id == User.id, RecoveryCode.used_at.is_(None))
    .correlate(User)
    .scalar_subquery()
    .label("recovery_codes_left")
)
_STATUS = (
    select(_IS_ON.label("enabled"), TotpSecret.confirmed_at, _LEFT)
    .select_from(User)
    .outerjoin(TotpSecret, TotpSecret.user_id == User.id)
)


class TotpRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def mine(self, actor: Actor) -> AnyRow:
        """Return `enabled`, `confirmed_at` and `recovery_codes_left`."""
        mine = _STATUS.where(User.id == ACTOR_ID, IS_SIGNED_IN)
        row = (await self._session.execute(mine, actor.binds)).one_or_none()
        if row is None:
            await refuse(self._session, actor)
        return row

    async def count_left(self, user_id: UUID) -> int:
        """Return how many recovery codes are not used yet."""
        left: int = (await self._session.execute(select(_LEFT).where(User.id == user_id))).scalar_one()
        return left

    async def is_on(self, user_id: UUID) -> bool:
        one = select(TotpSecret.user_id).where(TotpSecret.user_id == user_id, _IS_ON)
        return (await self._session.execute(one)).scalar_one_or_none() is not None

    async def begin(self, user_id: UUID, secret: str) -> bool:
        """Keep the secret in place of one that is not confirmed; False when one is."""
        kept = (
            upsert(TotpSecret)
            .values(user_id=user_id, secret=secret)
            .on_conflict_do_update(
                index_elements=[TotpSecret.user_id],
                set_={"secret": secret},
                where=TotpSecret.confirmed_at.is_(None),
            )
            .returning(TotpSecret.user_id)
        )
        return (await self._session.execute(kept)).scalar_one_or_none() is not None

    async def find(self, user_id: UUID) -> AnyRow | None:
        """Return `secret`, `is_on`, and the seconds of `now`."""
        one = select(TotpSecret.secret, _IS_ON.label("is_on"), _NOW).where(TotpSecret.user_id == user_id)
        return (await self._session.execute(one)).one_or_none()

    async def confirm(self, user_id: UUID, step: int) -> None:
        mine = update(TotpSecret).where(TotpSecret.user_id == user_id)
        await self._session.execute(mine.values(confirmed_at=func.now(), last_step=step))

    async def count_attempt(self, user_id: UUID) -> AnyRow | None:
        """Return `secret` and the seconds of `now`; None where there is no second factor.

        Who tries at the same time waits here until this one is counted. Raise RateLimitError after too many.
        """
        mine = (TotpSecret.user_id == user_id, _IS_ON)
        counted = (
            update(TotpSecret)
            .where(*mine, or_(TotpSecret.attempts < MAX_ATTEMPTS, _HAS_RESTED))
            .values(attempts=case((_HAS_RESTED, 1), else_=TotpSecret.attempts + 1), attempted_at=func.now())
            .returning(TotpSecret.secret, _NOW)
        )
        row = (await self._session.execute(counted)).one_or_none()
        if row is None:
            rest = func.ceil(extract("epoch", TotpSecret.attempted_at + PAUSE - func.now()))
            seconds = select(cast(rest, Integer)).where(*mine)
            pause = (await self._session.execute(seconds)).scalar_one_or_none()
            if pause is not None:
                raise RateLimitError(max(pause, 1))
        return row

    async def accept(self, user_id: UUID, step: int) -> bool:
        """In one statement: of two callers with the code of a step one goes through."""
        accepted = (
            update(TotpSecret)
            .where(TotpSecret.user_id == user_id, TotpSecret.last_step < step)
            .values(last_step=step, attempts=0)
            .returning(TotpSecret.user_id)
        )
        return (await self._session.execute(accepted)).scalar_one_or_none() is not None

    async def use_recovery_code(self, user_id: UUID, code_hash: str) -> bool:
        """In one statement: of two callers with the code one goes through."""
        used = (
            update(RecoveryCode)
            .where(
                RecoveryCode.user_id == user_id,
                RecoveryCode.code_hash == code_hash,
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=func.now())
            .returning(RecoveryCode.user_id)
        )
        return (await self._session.execute(used)).scalar_one_or_none() is not None

    async def forget_attempts(self, user_id: UUID) -> None:
        await self._session.execute(
            update(TotpSecret).where(TotpSecret.user_id == user_id).values(attempts=0)
        )

    async def replace_recovery_codes(self, user_id: UUID, code_hashes: Iterable[str]) -> None:
        await self._session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        rows = [{"user_id": user_id, "code_hash": code_hash} for code_hash in code_hashes]
        await self._session.execute(insert(RecoveryCode), rows)

    async def remove(self, user_id: UUID) -> bool:
        """Its recovery codes go with it."""
        gone = delete(TotpSecret).where(TotpSecret.user_id == user_id, _IS_ON).returning(TotpSecret.user_id)
        return (await self._session.execute(gone)).scalar_one_or_none() is not None
