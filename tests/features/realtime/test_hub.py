"""What depends on which of two things comes first."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest

from glasswork.features.realtime import service
from glasswork.features.realtime.schemas import Following, Frame, LiveStream, Standings, everything
from glasswork.features.realtime.service import Hub
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_workspace
from tests.streams import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def owner(committing_callers: Callers) -> Caller:
    return await committing_callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


async def nobody_looks() -> None:
    """It would help."""


async def enter(hub: Hub, stream: LiveStream, workspace: dict[str, Any]) -> Following:
    following = await hub.follow(stream, UUID(workspace["id"]), None)
    assert [frame async for frame in hub.missed(following)] == []
    return following


async def test_who_is_far_behind_is_given_pages_and_not_a_full_queue(
    hub: Hub, owner: Caller, workspace: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    for _ in range(5):
        await make_project(owner, workspace)
    with hub.streaming("sse", owner.actor) as stream:
        following = await hub.follow(stream, UUID(workspace["id"]), 0)
        assert [frame.seq async for frame in hub.missed(following)] == [1, 2, 3, 4, 5, 6, 7]
        assert await stream.take(seconds=0.01) is None


async def test_each_page_asks_for_the_rights_anew(
    hub: Hub,
    owner: Caller,
    workspace: dict[str, Any],
    committing_callers: Callers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    monkeypatch.setattr(hub, "_look", nobody_looks)
    member = await committing_callers.member(workspace["id"])
    for _ in range(5):
        await make_project(owner, workspace)
    with hub.streaming("sse", member.actor) as stream:
        following = await hub.follow(stream, UUID(workspace["id"]), 0)
        missed = hub.missed(following)
        assert [(await anext(missed)).seq, (await anext(missed)).seq] == [1, 2]
        await owner.delete(f"/workspaces/{workspace['id']}/members/{member.id}")
        assert [frame.seq async for frame in missed] == []
        assert stream.ending == "removed"


async def test_who_comes_between_a_change_and_its_rights_is_asked_about_too(
    hub: Hub,
    owner: Caller,
    workspace: dict[str, Any],
    committing_callers: Callers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = hub._ask  # noqa: SLF001 (no other place is between the two)
    member = await committing_callers.member(workspace["id"])
    with hub.streaming("sse", owner.actor) as stream, hub.streaming("sse", member.actor) as late:
        await enter(hub, stream, workspace)
        following = await hub.follow(late, UUID(workspace["id"]), None)

        async def ask_and_let_in(those: Iterable[Following]) -> Standings:
            standings = await ask(those)
            if following.place not in standings:
                assert [frame async for frame in hub.missed(following)] == []
            return standings

        monkeypatch.setattr(hub, "_ask", ask_and_let_in)
        monkeypatch.setattr(hub, "_look", nobody_looks)
        await make_project(owner, workspace)
        for each in (stream, late):
            item = await each.take(seconds=10)
            assert item is not None
            assert item[1].type == "project.created"


async def test_nothing_comes_twice(owner: Caller, workspace: dict[str, Any]) -> None:
    stream = LiveStream("sse", owner.actor)
    following = Following(stream, UUID(workspace["id"]), everything, "", Role.VIEWER, 5, is_near=True)
    frames = [Frame(seq, "task.updated", "{}", False, frozenset(), frozenset(), 0) for seq in (5, 6, 6)]
    assert [following.takes(frame) for frame in frames] == [False, True, False]


async def test_readers_end_with_their_last_follower(
    hub: Hub, owner: Caller, workspace: dict[str, Any]
) -> None:
    with hub.streaming("sse", owner.actor) as stream:
        await enter(hub, stream, workspace)
        assert len(hub._readers) == 1  # noqa: SLF001 (nobody else asks how many there are)
    await until(lambda: not hub._readers)  # noqa: SLF001 (likewise)
