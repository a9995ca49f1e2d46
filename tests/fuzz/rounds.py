"""What is sent to a real process, from several sources; of its number a round makes the same again."""

from collections.abc import Sequence
from random import Random
from typing import Final

from hypothesis import given, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from hypothesis.strategies import SearchStrategy
from schemathesis.core.result import Ok

from glasswork.features.workspaces.models import Role
from tests.contract.conftest import make_ids
from tests.contract.fuzzing import without_streams
from tests.contract.references import Stage
from tests.contract.slots import Call
from tests.contract.workflow import IDENTITIES, Crowd, Walk

from .bodies import with_bodies
from .exchange import End, Exchange
from .frames import FRAMES, Talk
from .generated import briefly, exchanges, talks
from .handshakes import handshakes
from .heads import with_lines
from .phases import try_operation
from .process import Process
from .smuggling import smuggled
from .target import Attack
from .values import placed, send

PATIENCE: Final = 90
"""Seconds: a body may keep us waiting for 60."""
WRITTEN_EACH: Final = 50
VALUES_EACH: Final = 300
"""Requests of a round."""

_WRITTEN: Final[list[Attack]] = [
    *(
        Exchange((each,), end)
        for each in (*with_lines(), *with_bodies(), *handshakes(), *smuggled())
        for end in (End.ASK, End.LEAVE)
    ),
    *(Talk((each,), End.ASK, is_signed_in) for each in FRAMES.values() for is_signed_in in (True, False)),
]


class FreeWalk(Walk, without_streams.as_state_machine()):  # type: ignore[misc] # the class is made of the document
    pass


def ensure_none(faults: list[str]) -> None:
    """Raise AssertionError with all of them: they are what is needed to do it again."""
    if faults:
        raise AssertionError("\n".join(faults))


WALKS: Final = settings(FreeWalk.TestCase.settings, max_examples=1, stateful_step_count=30, database=None)


class Rounds:
    """Each makes of its number the same again, as far as the process is the same."""

    def __init__(self, process: Process, calls: Sequence[Call]) -> None:
        self._process = process
        self._callers = process.target.callers
        self._run = process.target.runner.run
        # streams never end
        self._calls = [call for call in calls if not call.operation.path.endswith("/events")]
        self._operations = [
            each.ok() for each in without_streams.get_all_operations() if isinstance(each, Ok)
        ]

    def written(self, number: int) -> None:
        """Some of what is written down: so many rounds send all of it, and the next one begins again."""
        attacks = _WRITTEN[number * WRITTEN_EACH % len(_WRITTEN) :][:WRITTEN_EACH]
        self._hold(attacks)
        ensure_none(self._process.target.smuggled())

    def bytes(self, number: int) -> None:
        self._try(number, exchanges)
        ensure_none(self._process.target.smuggled())

    def frames(self, number: int) -> None:
        self._try(number, talks)

    def _try(self, number: int, made_up: SearchStrategy[Sequence[Attack]]) -> None:
        @seed(number)
        @briefly
        @given(made_up)
        def hold(attacks: Sequence[Attack]) -> None:
            self._hold(attacks)

        hold()

    def _hold(self, attacks: Sequence[Attack]) -> None:
        ensure_none(self._process.target.hold(attacks, PATIENCE))

    def values(self, number: int) -> None:
        rng = Random(number)  # noqa: S311 (no secret)
        self._run(self._send_values(rng))

    async def _send_values(self, rng: Random) -> None:
        stage = await Stage.make(self._callers)
        for call in sorted(rng.choices(self._calls, k=VALUES_EACH), key=_is_an_end):
            if found := await send(stage, call, placed(call, rng)):
                ensure_none([found])

    def phases(self, number: int) -> None:
        """Every operation as each of three people, one after the other."""
        turn, at = divmod(number, len(self._operations))
        owner, member, stranger = [self._run(self._callers.user()) for _ in range(3)]
        base_url = self._process.serving.base_url
        ids = make_ids(base_url, owner.username, {"Authorization": f"Bearer {owner.token}"})
        self._run(self._callers.join(member, ids["workspace_id"], Role.MEMBER))
        person = (owner, member, stranger)[(turn + number) % 3]
        try_operation(self._operations[at], base_url, person.token, ids, number)

    def walks(self, number: int) -> None:
        identity = IDENTITIES[number % len(IDENTITIES)]
        crowd = Crowd(self._process.target.runner, self._callers)
        names = {"base_url": self._process.serving.base_url, "identity": identity, "crowd": crowd}
        run_state_machine_as_test(seed(number)(type(identity, (FreeWalk,), names)), settings=WALKS)


def _is_an_end(call: Call) -> bool:
    """After it a thing of its path is gone."""
    return call.operation.method == "DELETE" or call.operation.path.endswith(("/archive", "/transfer"))
