"""Somebody goes while something else happens to them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.accounts.models import SystemRole
from glasswork.features.invitations.service import InvitationService
from glasswork.features.members.service import MemberService
from glasswork.features.privacy.service import DeletionService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_workspace
from tests.features.accounts.sign_in import error_of
from tests.features.workspaces.waiting import start

from .test_deletion import delete_account

pytestmark = pytest.mark.anyio

MEMBERS = "SELECT count(*) FROM memberships WHERE user_id = :id AND removed_at IS NULL"


async def number(database: Database, query: str, **values: object) -> int:
    async with database.reading() as session:
        return int((await session.execute(text(query), values)).scalar_one())


async def invite_again(callers: Callers, ada: Caller) -> str:
    """Return the token; to join for the second time is no new row, and asks nothing of her account."""
    owner = await callers.user()
    workspace = await make_workspace(owner)
    first = await invite(owner, workspace, ada)
    assert (await ada.post("/invitations/accept", {"token": first})).status_code == 200
    assert (await ada.delete(f"/workspaces/{workspace['id']}/members/{ada.id}")).status_code == 204
    return await invite(owner, workspace, ada)


async def invite(owner: Caller, workspace: dict[str, Any], ada: Caller) -> str:
    body = {"email": ada.email, "role": "member"}
    answer = await owner.post(f"/workspaces/{workspace['id']}/invitations", body)
    token: str = answer.json()["token"]
    return token


async def test_who_is_just_accepting_an_invitation_leaves_again(committing_callers: Callers) -> None:
    database = committing_callers.database
    ada = await committing_callers.user()
    token = await invite_again(committing_callers, ada)
    async with database.system_transaction() as session:
        keys = committing_callers.keys
        await InvitationService(session, keys).accept(ada.actor, token)
        answer = await start(database, delete_account(ada))
        assert not answer.done()
    assert (await answer).status_code == 204
    assert await number(database, MEMBERS, id=ada.id) == 0


async def test_who_has_just_gone_accepts_no_invitation(committing_callers: Callers) -> None:
    database = committing_callers.database
    ada = await committing_callers.user()
    token = await invite_again(committing_callers, ada)
    async with database.system_transaction() as session:
        await DeletionService(session).delete_me(ada.actor, PASSWORD)
        answer = await start(database, ada.post("/invitations/accept", {"token": token}))
        assert not answer.done()
    assert ((await answer).status_code, error_of(await answer)["code"]) == (401, "SESSION_ENDED")
    assert await number(database, MEMBERS, id=ada.id) == 0


async def test_who_has_just_become_the_owner_stays(committing_callers: Callers) -> None:
    database = committing_callers.database
    owner = await committing_callers.user()
    workspace_id = UUID((await make_workspace(owner))["id"])
    ada = await committing_callers.member(workspace_id, Role.MEMBER)
    async with database.system_transaction() as session:
        await MemberService(session).transfer(owner.actor, workspace_id, ada.id)
        answer = await start(database, delete_account(ada))
        assert not answer.done()
    assert ((await answer).status_code, error_of(await answer)["code"]) == (409, "LAST_OWNER")


async def test_who_has_just_gone_becomes_no_owner(committing_callers: Callers) -> None:
    database = committing_callers.database
    owner = await committing_callers.user()
    workspace_id = UUID((await make_workspace(owner))["id"])
    ada = await committing_callers.member(workspace_id, Role.MEMBER)
    async with database.system_transaction() as session:
        await DeletionService(session).delete_me(ada.actor, PASSWORD)
        body = {"user_id": str(ada.id)}
        answer = await start(database, owner.post(f"/workspaces/{workspace_id}/transfer", body))
        assert not answer.done()
    assert ((await answer).status_code, error_of(await answer)["code"]) == (404, "MEMBER_NOT_FOUND")


async def test_who_goes_stops_nobody_where_they_are_not(committing_callers: Callers) -> None:
    database = committing_callers.database
    owner, ada = await committing_callers.user(), await committing_callers.user()
    never_there, left = [await make_workspace(owner) for _ in range(2)]
    await committing_callers.join(ada, left["id"], Role.MEMBER)
    await ada.delete(f"/workspaces/{left['id']}/members/{ada.id}")
    async with database.system_transaction() as session:
        await DeletionService(session).delete_me(ada.actor, PASSWORD)
        for workspace in (never_there, left):
            change = owner.patch(f"/workspaces/{workspace['id']}", {"name": "Another"})
            answer = await start(database, change)
            assert answer.done()
            assert (await answer).status_code == 200


async def test_whoever_asks_twice_goes_once(committing_callers: Callers) -> None:
    ada = await committing_callers.user()
    answers = await asyncio.gather(*(delete_account(ada) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 401, 401, 401]
    count = "SELECT count(*) FROM installation_events WHERE type = 'user.deleted'"
    assert await number(committing_callers.database, count) == 1


async def test_of_two_admins_who_go_one_stays(committing_callers: Callers) -> None:
    database = committing_callers.database
    ada, bob = [await committing_callers.user(SystemRole.ADMIN) for _ in range(2)]
    async with database.system_transaction() as session:
        await DeletionService(session).delete_me(ada.actor, PASSWORD)
        answer = await start(database, delete_account(bob))
        assert not answer.done()
    assert ((await answer).status_code, error_of(await answer)["code"]) == (409, "LAST_ADMIN")
