from sqlalchemy import Text, bindparam, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, refuse
from glasswork.features.workspaces.access import access

from .errors import KeyInUseError
from .models import KEPT_FOR, IdempotencyKey
from .schemas import Answer, Attempt

_LOCK_NOT_AVAILABLE = "55P03"

_OPERATION = bindparam("attempt_operation", type_=Text())
_KEY = bindparam("attempt_key", type_=Text())
_FINGERPRINT = bindparam("attempt_fingerprint", type_=Text())
_IS_IT = (
    IdempotencyKey.user_id == ACTOR_ID,
    IdempotencyKey.operation == _OPERATION,
    IdempotencyKey.key == _KEY,
)

_new = insert(IdempotencyKey).from_select(
    ["user_id", "operation", "key", "fingerprint"],
    select(ACTOR_ID, _OPERATION, _KEY, _FINGERPRINT).where(IS_SIGNED_IN),
)
_claimed = (
    _new.on_conflict_do_update(
        constraint="pk_idempotency_keys",
        set_={
            "fingerprint": _new.excluded.fingerprint,
            "claimed_at": func.now(),
            "workspace_id": null(),
            "status": null(),
            "headers": null(),
            "body": null(),
        },
        # Without an answer: the work was refused, and what it wrote was kept all the same.
        where=or_(IdempotencyKey.claimed_at <= func.now() - KEPT_FOR, IdempotencyKey.status.is_(None)),
    )
    .returning(IdempotencyKey.key)
    .cte("claimed")
)
_CLAIM = select(_claimed.c.key)

_FIND = select(
    IdempotencyKey.fingerprint,
    IdempotencyKey.status,
    IdempotencyKey.headers,
    IdempotencyKey.body,
    IdempotencyKey.workspace_id,
    or_(
        IdempotencyKey.workspace_id.is_(None),
        IdempotencyKey.workspace_id.in_(select(access.c.workspace_id)),
    ).label("is_open"),
).where(*_IS_IT, IS_SIGNED_IN)

_KEEP = update(IdempotencyKey).where(*_IS_IT).execution_options(synchronize_session=False)


class KeyRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def claim(self, actor: Actor, attempt: Attempt) -> bool:
        """Take the key for this transaction; False when it has been used.

        Of several at once the first has it, and the others wait for its end, as long as for any lock: if it
        fails the next has it.
        """
        try:
            claimed = await self._session.execute(_CLAIM, actor.binds | attempt.binds)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                raise KeyInUseError from error
            raise
        return claimed.one_or_none() is not None

    async def find(self, actor: Actor, attempt: Attempt) -> AnyRow:
        """Return the key that was used, its answer, and whether the actor may (still) see that."""
        row = (await self._session.execute(_FIND, actor.binds | attempt.binds)).one_or_none()
        return row if row is not None else await refuse(self._session, actor)

    async def keep(self, actor: Actor, attempt: Attempt, answer: Answer) -> None:
        values = {
            "status": answer.status,
            "headers": answer.headers,
            "body": answer.body,
            "workspace_id": answer.workspace_id,
        }
        await self._session.execute(_KEEP.values(values), actor.binds | attempt.binds)
