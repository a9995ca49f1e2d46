"""Limits on guessing: a growing delay, and never a lock that stays.

The counts are PostgreSQL's, the same for all replicas. An attempt counts as wrong before its outcome is
known, and is given back when it was right: of guesses that come together none slips through.
"""

import hashlib
import hmac
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ARRAY, Double, Interval, Text, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.db import Database
from glasswork.core.errors import AppError, RateLimitError
from glasswork.core.models import Base
from glasswork.core.tokens import Keys

Whose = Literal["account", "address", "pair"]

KNOWN_FOR: Final = timedelta(days=30)
FORGOTTEN_AFTER: Final = timedelta(days=1)


class GuessCount(Base):
    """The wrong guesses of somebody; who that is cannot be read from the key."""

    __tablename__ = "guess_counts"

    key: Mapped[str] = mapped_column(primary_key=True)
    wrong: Mapped[float] = mapped_column(Double())
    """At `counted_at`; with time they are forgotten."""
    counted_at: Mapped[datetime] = mapped_column(index=True)
    blocked_until: Mapped[datetime | None]
    right_at: Mapped[datetime | None]
    """Of a pair: when the address last proved that it knows the account."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Wrong guesses that are `free`, at least one; they come back within an hour.

    The first one beyond them makes the next one wait for `pause` seconds, and each that follows for twice as
    long as the one before, up to `longest`.
    """

    free: int
    pause: float = 1
    longest: float = 60


@dataclass(frozen=True, slots=True)
class Guess:
    """What can be guessed, and how often: at an account, from an address, and at the one from the other.

    An address that was right about an account within KNOWN_FOR is not bound by the account's own limit: so
    nobody can keep its owner out.
    """

    name: str
    """Guesses of different names are counted apart."""
    account: Limit | None = None
    address: Limit | None = None
    pair: Limit | None = None
    wrong: tuple[type[AppError], ...] = ()
    """The refusals that tell that it was wrong; after any other the attempt is given back."""
    is_spent: bool = False
    """Whether an attempt counts also when it was right."""


class TooManyGuessesError(RateLimitError):
    def __init__(self, retry_after: int, whose: Collection[Whose]) -> None:
        super().__init__(retry_after)
        self.whose = whose


@dataclass(frozen=True, slots=True)
class Attempt:
    keys: list[str]
    pair: str | None


# More than so many wrong ones beyond the free ones are not remembered: the longest pause is reached, and a
# longer memory would punish the owner for days. A row that is blocked is locked, but not counted.
_COUNT: Final = text("""
    WITH asked AS (
        SELECT * FROM unnest(:keys, :whose, :free, :pause, :longest)
            AS asked (key, whose, free, pause, longest)
        WHERE whose <> 'account' OR NOT EXISTS (
            SELECT FROM guess_counts AS pair WHERE pair.key = :pair AND pair.right_at > now() - :known_for
        )
    ), counted AS (
        INSERT INTO guess_counts AS kept (key, wrong, counted_at)
        SELECT key, 1, now() FROM asked ORDER BY key
        ON CONFLICT (key) DO UPDATE SET (wrong, counted_at, blocked_until) = (
            SELECT risen.wrong, now(), CASE WHEN risen.wrong > free THEN
                now() + interval '1 s' * least(pause * 2 ^ (risen.wrong - free - 1), longest)
            END
            FROM asked, LATERAL (
                SELECT greatest(extract(epoch FROM now() - kept.counted_at), 0) / 3600 * free AS forgotten
            ) AS since, LATERAL (
                SELECT least(greatest(kept.wrong - forgotten, 0) + 1, free + 7) AS wrong
            ) AS risen
            WHERE asked.key = kept.key
        )
        WHERE kept.blocked_until IS NULL OR kept.blocked_until <= now()
        RETURNING key
    )
    SELECT key, counted.key IS NOT NULL AS is_counted FROM asked LEFT JOIN counted USING (key)
""").bindparams(
    *(bindparam(name, type_=ARRAY(Text())) for name in ("keys", "whose")),
    *(bindparam(name, type_=ARRAY(Double())) for name in ("free", "pause", "longest")),
    bindparam("pair", type_=Text()),
    bindparam("known_for", KNOWN_FOR, type_=Interval()),
)

# In the order in which they are counted: else two requests could wait for each other.
_GIVE_BACK: Final = text("""
    WITH locked AS (SELECT key FROM guess_counts WHERE key = ANY(:keys) ORDER BY key FOR UPDATE)
    UPDATE guess_counts AS kept SET
        wrong = CASE WHEN kept.key = :right_pair THEN 0 ELSE greatest(wrong - 1, 0) END,
        right_at = CASE WHEN kept.key = :right_pair THEN now() ELSE right_at END,
        blocked_until = NULL
    FROM locked WHERE kept.key = locked.key
""").bindparams(bindparam("keys", type_=ARRAY(Text())), bindparam("right_pair", type_=Text()))


class GuessLimiter:
    """Counts in transactions of its own: a refusal of the request must not undo them."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._key = keys.guessing

    async def count(self, guess: Guess, address: str, account: str | None) -> Attempt:
        """Count an attempt as wrong, or raise TooManyGuessesError: then it is counted nowhere."""
        limits = dict(self._limits(guess, address, account.lower() if account is not None else None))
        pair = next((key for key, (whose, _) in limits.items() if whose == "pair"), None)
        async with self._database.transaction() as session:
            rows = (await session.execute(_COUNT, {"pair": pair} | _columns(limits))).all()
            blocked = [row.key for row in rows if not row.is_counted]
            if blocked:
                seconds = await _seconds_left(session, blocked)
                raise TooManyGuessesError(max(1, math.ceil(seconds)), [limits[key][0] for key in blocked])
        return Attempt([row.key for row in rows], pair)

    async def give_back(self, attempt: Attempt, *, was_right: bool) -> None:
        """Undo the count; one that was right also makes the address known to the account."""
        values = {"keys": attempt.keys, "right_pair": attempt.pair if was_right else None}
        async with self._database.transaction() as session:
            await session.execute(_GIVE_BACK, values)

    def _limits(
        self, guess: Guess, address: str, account: str | None
    ) -> Iterator[tuple[str, tuple[Whose, Limit]]]:
        if guess.address is not None:
            yield self._hashed(guess, address), ("address", guess.address)
        if guess.account is not None and account is not None:
            yield self._hashed(guess, "", account), ("account", guess.account)
        if guess.pair is not None and account is not None:
            yield self._hashed(guess, address, account), ("pair", guess.pair)

    def _hashed(self, guess: Guess, *parts: str) -> str:
        named = "\0".join((guess.name, *parts)).encode(errors="replace")
        return hmac.digest(self._key, named, hashlib.sha256).hex()


def _columns(limits: dict[str, tuple[Whose, Limit]]) -> dict[str, Any]:
    return {
        "keys": list(limits),
        "whose": [whose for whose, _ in limits.values()],
        "free": [limit.free for _, limit in limits.values()],
        "pause": [limit.pause for _, limit in limits.values()],
        "longest": [limit.longest for _, limit in limits.values()],
    }


async def _seconds_left(session: AsyncSession, keys: list[str]) -> float:
    left = func.extract("epoch", func.max(GuessCount.blocked_until) - func.now())
    return float((await session.execute(select(left).where(GuessCount.key.in_(keys)))).scalar_one())
