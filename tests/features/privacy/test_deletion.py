import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.jobs import EventRef
from glasswork.core.mail import KeptMail
from glasswork.features.accounts.events import UserCreated
from glasswork.features.accounts.models import SystemRole
from glasswork.features.credentials.events import AddressChangeRequested
from glasswork.features.credentials.jobs import SEND_WELCOME
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, PASSWORD_HASH, Caller, Callers
from tests.factories.reports import make_report, order_report
from tests.factories.tracker import (
    make_api_token,
    make_calendar_feed,
    make_project,
    make_task,
    make_workspace,
)
from tests.factories.work import make_work
from tests.features.accounts.sign_in import error_of, log_in, refresh, register
from tests.features.credentials.letters import Postman, token_in
from tests.features.second_factors.authenticator import grow_old

from .traces import tables_that_hold

pytestmark = pytest.mark.anyio


async def delete_account(caller: Caller, password: object = PASSWORD) -> Response:
    return await caller.request("DELETE", "/users/me", json={"password": password})


async def rows(database: Database, query: str, **values: Any) -> list[Any]:
    async with database.reading() as session:
        return [tuple(row) for row in await session.execute(text(query), values)]


async def events_of(caller: Caller, workspace: dict[str, Any]) -> list[dict[str, Any]]:
    page = await caller.get(f"/workspaces/{workspace['id']}/changes", limit=100)
    items: list[dict[str, Any]] = page.json()["items"]
    return items


class TestRefusals:
    async def test_of_a_wrong_password(self, callers: Callers) -> None:
        ada = await callers.user()
        answer = await delete_account(ada, "tremendous otter 78")
        assert (answer.status_code, error_of(answer)["code"]) == (403, "WRONG_PASSWORD")
        assert (await ada.get("/users/me")).status_code == 200

    @pytest.mark.parametrize("body", [{"password": ""}, {"password": PASSWORD, "sure": True}], ids=str)
    async def test_of_bad_input(self, callers: Callers, body: dict[str, Any]) -> None:
        ada = await callers.user()
        assert (await ada.request("DELETE", "/users/me", json=body)).status_code == 422
        assert (await ada.get("/users/me")).status_code == 200

    async def test_of_an_old_login(self, callers: Callers, database: Database) -> None:
        ada = await callers.user()
        await grow_old(database, ada.id, "10 minutes")
        answer = await delete_account(ada)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "REAUTHENTICATION_REQUIRED")
        await grow_old(database, ada.id, "9 minutes")
        assert (await delete_account(ada)).status_code == 204

    @pytest.mark.parametrize(
        ("hash_", "status"), [(PASSWORD_HASH, 403), (None, 204)], ids=["has one", "has none"]
    )
    async def test_without_a_password_of_who_has_one(
        self, callers: Callers, database: Database, hash_: str | None, status: int
    ) -> None:
        ada = await callers.user()
        async with database.system_transaction() as session:
            statement = text("UPDATE users SET password_hash = :hash WHERE id = :id")
            await session.execute(statement, {"hash": hash_, "id": ada.id})
        assert (await ada.request("DELETE", "/users/me", json={})).status_code == status

    async def test_of_api_tokens(self, callers: Callers) -> None:
        ada = await callers.user()
        script = replace(ada, token=(await make_api_token(ada, "profile:write"))["token"])
        answer = await delete_account(script)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "SESSION_REQUIRED")

    async def test_while_others_would_be_left_without_an_owner(self, callers: Callers) -> None:
        ada = await callers.user()
        stranded, owned_by_two, lonely, deleted = [await make_workspace(ada) for _ in range(4)]
        bob = await callers.member(stranded["id"], Role.ADMIN)
        await callers.member(owned_by_two["id"], Role.OWNER)
        await callers.member(deleted["id"], Role.ADMIN)
        await ada.delete(f"/workspaces/{deleted['id']}")
        answer = await delete_account(ada)
        assert (answer.status_code, error_of(answer)["code"]) == (409, "LAST_OWNER")
        named = [{"id": stranded["id"], "name": stranded["name"]}]
        assert error_of(answer)["details"] == {"workspaces": named}
        assert (await ada.get(f"/workspaces/{lonely['id']}")).status_code == 200
        await ada.post(f"/workspaces/{stranded['id']}/transfer", {"user_id": str(bob.id)})
        assert (await delete_account(ada)).status_code == 204

    async def test_of_the_only_admin(self, callers: Callers, database: Database) -> None:
        ada = await callers.user(SystemRole.ADMIN)
        shut_off = await callers.user(SystemRole.ADMIN)
        await ada.patch(f"/users/{shut_off.id}", {"is_active": False})
        answer = await delete_account(ada)
        assert (answer.status_code, error_of(answer)["code"]) == (409, "LAST_ADMIN")
        await callers.user(SystemRole.ADMIN)
        assert (await delete_account(ada)).status_code == 204
        assert await rows(database, "SELECT role FROM users WHERE id = :id", id=ada.id) == [("user",)]


class TestWhatStandsNoLonger:
    async def test_tokens_of_any_kind(self, callers: Callers) -> None:
        ada = await callers.user()
        tokens = (await log_in(ada.client, ada.email)).json()
        script = replace(ada, token=(await make_api_token(ada, "profile:read"))["token"])
        assert (await script.get("/users/me")).status_code == 200
        answer = await delete_account(ada)
        assert (answer.status_code, answer.content) == (204, b"")
        for caller in (ada, replace(ada, token=tokens["access_token"]), script):
            assert (await caller.get("/users/me")).status_code == 401
        assert (await refresh(ada.client, tokens["refresh_token"])).status_code == 401
        assert (await log_in(ada.client, ada.email)).status_code == 401

    async def test_membership_of_shared_workspaces(self, callers: Callers) -> None:
        owner = await callers.user()
        workspace, left = [await make_workspace(owner) for _ in range(2)]
        ada = await callers.member(workspace["id"])
        await callers.join(ada, left["id"], Role.MEMBER)
        await ada.delete(f"/workspaces/{left['id']}/members/{ada.id}")
        assert (await delete_account(ada)).status_code == 204
        types = [each["type"] for each in await events_of(owner, left)]
        assert types.count("member.deleted") == 1
        members = (await owner.get(f"/workspaces/{workspace['id']}/members")).json()["items"]
        assert [member["user_id"] for member in members] == [str(owner.id)]
        gone = (await events_of(owner, workspace))[-1]
        assert (gone["type"], gone["subject"]["id"]) == ("member.deleted", str(ada.id))
        assert gone["actor_id"] == str(ada.id)
        assert (gone["before"]["name"], gone["before"]["role"]) == ("Deleted user", "member")

    async def test_a_workspace_of_mine_alone(self, callers: Callers, database: Database) -> None:
        ada = await callers.user()
        workspace = await make_workspace(ada)
        left = await callers.member(workspace["id"])
        await left.delete(f"/workspaces/{workspace['id']}/members/{left.id}")
        await delete_account(ada)
        query = "SELECT deleted_at IS NOT NULL FROM workspaces WHERE id = :id"
        assert await rows(database, query, id=workspace["id"]) == [(True,)]
        last = "SELECT type FROM workspace_events WHERE workspace_id = :id ORDER BY seq DESC LIMIT 1"
        assert await rows(database, last, id=workspace["id"]) == [("workspace.deleted",)]

    async def test_invitations_to_the_address(self, callers: Callers) -> None:
        owner, ada, bob = [await callers.user() for _ in range(3)]
        workspace = await make_workspace(owner)
        path = f"/workspaces/{workspace['id']}/invitations"
        mine, other = [
            (await owner.post(path, {"email": who.email.upper(), "role": "member"})).json()
            for who in (ada, bob)
        ]
        await delete_account(ada)
        assert [item["id"] for item in (await owner.get(path)).json()["items"]] == [other["id"]]
        gone = (await events_of(owner, workspace))[-1]
        assert (gone["type"], gone["subject"]["id"]) == ("invitation.deleted", mine["id"])
        assert (await bob.post("/invitations/accept", {"token": other["token"]})).status_code == 200

    @pytest.mark.parametrize(("end", "ended"), [("accepted", 1), ("withdrawn", 1), ("expired", 0)])
    async def test_an_invitation_that_has_ended_does_not_end_again(
        self, callers: Callers, database: Database, end: str, ended: int
    ) -> None:
        owner, ada = await callers.user(), await callers.user()
        workspace = await make_workspace(owner)
        path = f"/workspaces/{workspace['id']}/invitations"
        invitation = (await owner.post(path, {"email": ada.email, "role": "member"})).json()
        if end == "accepted":
            assert (await ada.post("/invitations/accept", {"token": invitation["token"]})).status_code == 200
        elif end == "expired":
            async with database.system_transaction() as session:
                await session.execute(text("UPDATE invitations SET expires_at = now() - interval '1 s'"))
        else:
            assert (await owner.delete(f"{path}/{invitation['id']}")).status_code == 204
        await delete_account(ada)
        types = [each["type"] for each in await events_of(owner, workspace)]
        assert types.count("invitation.deleted") == ended


class TestWhatStays:
    async def test_what_was_written_for_others(self, callers: Callers) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        ada = await callers.member(workspace["id"])
        project = await make_project(ada, workspace)
        task = await make_task(ada, project, description="As I said", assignee_id=str(ada.id))
        await delete_account(ada)
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task
        answer = await owner.patch(f"/tasks/{task['id']}", {"assignee_id": None})
        assert answer.status_code == 200

    async def test_what_events_tell_of_others_and_of_things(
        self, callers: Callers, database: Database
    ) -> None:
        ada = await callers.user()
        workspace, other = [await make_workspace(ada) for _ in range(2)]
        bob = await callers.member(workspace["id"], Role.ADMIN)
        project = await make_project(ada, workspace)
        await ada.patch(f"/workspaces/{workspace['id']}/members/{bob.id}", {"role": "member"})
        for member in (ada, bob):
            await make_task(member, project)
            await make_calendar_feed(member, workspace)
            await make_api_token(member, "tasks:read")
            await member.patch("/users/me", {"name": "Somebody Else"})
        await make_calendar_feed(ada, other)
        event = "SELECT id, type, subject_id, before::text, after::text FROM {}_events ORDER BY id"
        tables = [event.format(table) for table in ("workspace", "installation")]
        before = [row for table in tables for row in await rows(database, table)]
        assert (await delete_account(bob)).status_code == 204
        after = {row for table in tables for row in await rows(database, table)}
        blank = [row for row in before if row not in after]
        assert {row[1]: row[2] == bob.id for row in blank} == {
            "member.updated": True,
            "calendar_feed.created": False,
            "user.updated": True,
            "api_token.created": False,
        }
        assert len(blank) == 4

    @pytest.mark.alone
    async def test_one_event_that_says_nothing_of_who_it_was(
        self, callers: Callers, database: Database
    ) -> None:
        ada = await callers.user()
        await delete_account(ada)
        query = "SELECT type, actor_id, subject_id, before, after FROM installation_events"
        assert await rows(database, query) == [("user.deleted", ada.id, ada.id, None, None)]

    @pytest.mark.alone
    async def test_what_an_admin_looked_at(self, callers: Callers, database: Database) -> None:
        ada, _ = [await callers.user(SystemRole.ADMIN) for _ in range(2)]
        other = await callers.user()
        await ada.patch(f"/users/{other.id}", {"is_active": False})
        async with database.system_transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO installation_events (id, type, subject_id, actor_id, request_id, after)"
                    " VALUES (:id, 'operations.viewed', :ada, :ada, 'r', '{\"view\": \"now\"}')"
                ),
                {"id": uuid7(), "ada": ada.id},
            )
        await delete_account(ada)
        kept = "SELECT type FROM installation_events WHERE after IS NOT NULL ORDER BY type"
        assert await rows(database, kept) == [("operations.viewed",), ("user.updated",)]


class TestTraces:
    async def test_nothing_in_the_database_names_the_person(
        self, app: FastAPI, database: Database, callers: Callers
    ) -> None:
        zoe, owner = await self.zoe(app, database, callers), await callers.user()
        workspace = await make_workspace(owner)
        invited = {"email": "Zoe@quark.example", "role": "member"}
        path = f"/workspaces/{workspace['id']}/invitations"
        token = (await owner.post(path, invited)).json()["token"]
        assert (await zoe.post("/invitations/accept", {"token": token})).status_code == 200
        other = await make_workspace(owner)
        await owner.post(f"/workspaces/{other['id']}/invitations", invited)
        await make_api_token(zoe, "tasks:read", name="Zoe's gluon")
        await make_calendar_feed(zoe, workspace, name="Zoe's lepton")
        gone = await make_calendar_feed(zoe, workspace, name="Zoe's meson")
        await zoe.delete(f"/calendar-feeds/{gone['id']}")
        await zoe.patch("/users/me", {"name": "Zoë Gluon"})
        await zoe.patch("/users/me", {"name": "Zoë Quark"})
        words = {
            "zoe@quark.example": {"users", "workspace_events", "invitations", "installation_events"},
            "zoe_before@quark.example": {"kept_mails", "installation_events"},
            "zoe_quark": {"users", "installation_events", "workspace_events"},
            "zoe_first": {"installation_events"},
            "Zoë Quark": {"users", "installation_events", "workspace_events", "kept_mails"},
            "gluon": {"api_tokens", "installation_events"},
            "lepton": {"calendar_feeds", "workspace_events"},
            "meson": {"workspace_events"},
            "Zoe's browser": {"user_sessions"},
            str(zoe.id): {"memberships", "one_time_tokens"},
        }
        for word, tables in words.items():
            assert tables <= await tables_that_hold(database, word), word
        assert (await delete_account(zoe)).status_code == 204
        for word in list(words)[:-1]:
            assert await tables_that_hold(database, word) == set(), word
        # The account itself is still somebody's, so that what it did can be told from what others did.
        assert {"users", "memberships"} <= await tables_that_hold(database, str(zoe.id))

    async def zoe(self, app: FastAPI, database: Database, callers: Callers) -> Caller:
        """Somebody who has had another address and another username, and mail to both addresses."""
        account = {"email": "zoe_before@quark.example", "username": "zoe_first", "name": "Zoë Quark"}
        assert (await register(callers.client, **account)).status_code == 201
        postman = Postman(app, database)
        await postman.deliver(UserCreated)
        form = {"username": "zoe_first", "password": PASSWORD}
        device = {"User-Agent": "Zoe's browser"}
        answer = await callers.client.post("/api/v1/auth/token", data=form, headers=device)
        zoe = replace(await callers.user(), token=answer.json()["access_token"])
        zoe = replace(zoe, actor=replace(zoe.actor, user_id=(await zoe.get("/users/me")).json()["id"]))
        await zoe.post("/auth/change-email", {"email": "zoe@quark.example", "password": PASSWORD})
        token = token_in(await postman.deliver(AddressChangeRequested))
        assert (await zoe.post("/auth/confirm-email", {"token": token})).status_code == 204
        assert (await zoe.patch("/users/me", {"username": "zoe_quark"})).status_code == 200
        return zoe

    async def test_reports_that_name_the_person(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        project, ada = await make_project(owner, workspace), await callers.member(workspace["id"])
        names_her, names_none = [await make_report(database, owner, project) for _ in range(2)]
        begun = await order_report(owner, project)
        async with database.system_transaction() as session:
            named = text("UPDATE reports SET numbers = jsonb_set(numbers, '{workload}', :of) WHERE id = :id")
            load = [{"user_id": str(owner.id)}, {"user_id": str(ada.id), "name": "Ada"}]
            await session.execute(named, {"of": json.dumps(load), "id": UUID(names_her["id"])})
            running = text("UPDATE reports SET status = 'running' WHERE id = :id")
            await session.execute(running, {"id": UUID(begun["id"])})
        assert (await delete_account(ada)).status_code == 204
        left = (await owner.get(f"/workspaces/{workspace['id']}/reports")).json()["items"]
        assert [report["id"] for report in left] == [names_none["id"]]
        events = await events_of(owner, workspace)
        gone = [event["subject"]["id"] for event in events if event["type"] == "report.deleted"]
        assert sorted(gone) == sorted([names_her["id"], begun["id"]])

    async def test_a_former_address_that_is_somebody_elses_by_now_stays_theirs(
        self, app: FastAPI, database: Database, callers: Callers
    ) -> None:
        zoe, owner = await self.zoe(app, database, callers), await callers.user()
        await register(callers.client, email="zoe_before@quark.example", username="new", name="New")
        workspace = await make_workspace(owner)
        path = f"/workspaces/{workspace['id']}/invitations"
        await owner.post(path, {"email": "zoe_before@quark.example", "role": "member"})
        await delete_account(zoe)
        assert [item["email"] for item in (await owner.get(path)).json()["items"]] == [
            "zoe_before@quark.example"
        ]

    async def test_of_others_all_stays(self, callers: Callers, database: Database) -> None:
        ada, bob = await callers.user(), await callers.user()
        workspace = await make_workspace(bob)
        await make_api_token(bob, "tasks:read", name="bobs script")
        async with database.system_transaction() as session:
            letter = KeptMail(job_id=1, recipient=bob.email, subject="s", body="bobs letter")
            session.add(letter)
        words = (bob.email, "bobs script", "bobs letter")
        before = {word: await tables_that_hold(database, word) for word in words}
        assert all(before.values())
        await delete_account(ada)
        assert {word: await tables_that_hold(database, word) for word in before} == before
        assert all(item["after"] for item in await events_of(bob, workspace))
        assert (await bob.get("/users/me")).status_code == 200

    async def test_address_and_username_are_free_again(self, callers: Callers) -> None:
        ada = await callers.user()
        again = {"email": ada.email, "username": ada.username}
        assert (await register(ada.client, **again)).status_code == 409
        await delete_account(ada)
        answer = await register(ada.client, **again)
        assert answer.status_code == 201
        assert answer.json()["id"] != str(ada.id)
        assert (await log_in(ada.client, ada.email)).status_code == 200

    @pytest.mark.alone
    async def test_two_who_have_gone_are_two(self, callers: Callers, database: Database) -> None:
        for _ in range(2):
            assert (await delete_account(await callers.user())).status_code == 204
        fits = "SELECT DISTINCT username FROM users WHERE username ~ '^[A-Za-z0-9_]{3,20}$'"
        assert len(await rows(database, fits)) == 2


class TestAdministration:
    @pytest.mark.alone
    async def test_a_deleted_account_cannot_be_brought_back(self, callers: Callers) -> None:
        admin, ada = await callers.user(SystemRole.ADMIN), await callers.user()
        assert (await admin.get(f"/users/{ada.id}")).status_code == 200
        await delete_account(ada)
        assert (await admin.get(f"/users/{ada.id}")).status_code == 404
        answer = await admin.patch(f"/users/{ada.id}", {"is_active": True})
        assert (answer.status_code, error_of(answer)["code"]) == (404, "USER_NOT_FOUND")
        listed = (await admin.get("/users")).json()["items"]
        assert [user["id"] for user in listed] == [str(admin.id)]

    @pytest.mark.alone
    async def test_a_letter_that_was_still_to_be_written_is_not(
        self, app: FastAPI, callers: Callers, database: Database
    ) -> None:
        ada = await callers.user()
        await delete_account(ada)
        event = EventRef(id=uuid7(), workspace_id=None, subject_id=ada.id)
        await SEND_WELCOME.run(make_work(app, database), event)
        for table in ("kept_mails", "one_time_tokens"):
            assert await rows(database, f"SELECT * FROM {table}") == []
