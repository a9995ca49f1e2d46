"""Who may announce, who reads it, and what is refused."""

from typing import Any
from uuid import uuid4

import pytest

from glasswork.features.accounts.models import SystemRole
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_announcement, make_api_token, make_workspace

pytestmark = pytest.mark.anyio

NEWS = {"subject": "We move on Sunday", "body": "From 8 to 9 UTC nothing can be changed."}
NUMBERS = ("total", "sent", "failed", "unsure", "skipped")


@pytest.fixture
async def admin(callers: Callers) -> Caller:
    """Of the installation."""
    return await callers.user(SystemRole.ADMIN)


def path_of(workspace: dict[str, Any]) -> str:
    return f"/workspaces/{workspace['id']}/announcements"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *((("subject", value)) for value in ("", "   ", "x" * 201, "two\nlines", "two\rlines", None)),
            *((("subject", f"two{end}lines")) for end in "\x00\x0b\x0c\x1c\x1e\x85\u2028\u2029\t"),
            *((("body", value)) for value in ("", " \n ", "x" * 10_001, "nul\x00", 7)),
            ("status", "sent"),
            ("total", 3),
        ],
    )
    async def test_a_body_that_does_not_fit(
        self, owner: Caller, workspace: dict[str, Any], field: str, value: Any
    ) -> None:
        answer = await owner.post(path_of(workspace), NEWS | {field: value})
        assert answer.status_code == 422
        assert answer.json()["error"]["details"]["errors"][0]["loc"] == ["body", field]
        assert (await owner.get(path_of(workspace))).json()["items"] == []

    async def test_viewers_and_members_announce_nothing(
        self, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        for role in (Role.VIEWER, Role.MEMBER):
            member = await callers.member(workspace["id"], role)
            answer = await member.post(path_of(workspace), NEWS)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "PERMISSION_DENIED")

    async def test_to_strangers_there_is_no_such_workspace(
        self, callers: Callers, owner: Caller, admin: Caller, workspace: dict[str, Any]
    ) -> None:
        announced = await make_announcement(owner, workspace)
        for stranger in (await callers.user(), admin):
            answers = [
                await stranger.post(path_of(workspace), NEWS),
                await stranger.get(path_of(workspace)),
                await stranger.get(f"{path_of(workspace)}/{announced['id']}"),
            ]
            assert [answer.json()["error"]["code"] for answer in answers] == ["WORKSPACE_NOT_FOUND"] * 3

    async def test_an_announcement_is_found_only_where_it_was_made(
        self, owner: Caller, admin: Caller, workspace: dict[str, Any]
    ) -> None:
        elsewhere = await make_workspace(owner)
        announced = await make_announcement(owner, workspace)
        general = (await admin.post("/announcements", NEWS)).json()
        for path in (
            f"{path_of(elsewhere)}/{announced['id']}",
            f"{path_of(workspace)}/{general['id']}",
            f"{path_of(workspace)}/{uuid4()}",
            f"/announcements/{announced['id']}",
            f"/announcements/{uuid4()}",
        ):
            answer = await owner.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ANNOUNCEMENT_NOT_FOUND")

    async def test_only_admins_of_the_installation_announce_to_all(
        self, owner: Caller, admin: Caller
    ) -> None:
        assert (await owner.post("/announcements", NEWS)).status_code == 403
        assert (await admin.post("/announcements", NEWS)).status_code == 201

    async def test_a_token_that_is_kept_to_a_workspace_reads_what_is_announced_there_alone(
        self, callers: Callers, owner: Caller, admin: Caller, workspace: dict[str, Any]
    ) -> None:
        general = (await admin.post("/announcements", NEWS)).json()
        scopes = ("workspaces:read", "profile:read")
        kept = await make_api_token(owner, *scopes, workspace_id=workspace["id"])
        free = await make_api_token(owner, *scopes)
        for path in ("/announcements", f"/announcements/{general['id']}"):
            for token, status in ((kept, 403), (free, 200)):
                headers = {"Authorization": f"Bearer {token['token']}"}
                answer = await callers.client.get(f"/api/v1{path}", headers=headers)
                assert answer.status_code == status, path
        headers = {"Authorization": f"Bearer {kept['token']}"}
        answer = await callers.client.get(f"/api/v1{path_of(workspace)}", headers=headers)
        assert answer.status_code == 200


class TestWhatIsAnnounced:
    async def test_it_is_made_by_an_admin_and_read_by_every_member(
        self, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        admin = await callers.member(workspace["id"], Role.ADMIN)
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        answer = await admin.post(path_of(workspace), NEWS | {"subject": f"  {NEWS['subject']} "})
        announced = answer.json()
        assert answer.headers["Location"] == f"/api/v1{path_of(workspace)}/{announced['id']}"
        assert {name: announced[name] for name in NEWS} == NEWS
        assert (announced["workspace_id"], announced["created_by"]) == (workspace["id"], str(admin.id))
        assert (announced["status"], announced["started_at"], announced["finished_at"]) == (
            "queued",
            None,
            None,
        )
        assert [announced[name] for name in NUMBERS] == [0] * 5
        seen = await viewer.get(f"{path_of(workspace)}/{announced['id']}")
        assert (seen.json(), seen.headers["ETag"]) == (announced, '"1"')
        assert (await viewer.get(path_of(workspace))).json()["items"] == [announced]

    async def test_the_newest_comes_first_page_by_page(
        self, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        made = [(await make_announcement(owner, workspace))["id"] for _ in range(3)]
        first = (await owner.get(path_of(workspace), limit=2, total=True)).json()
        rest = (await owner.get(path_of(workspace), limit=2, cursor=first["next_cursor"])).json()
        assert [each["id"] for each in first["items"] + rest["items"]] == made[::-1]
        assert (first["total"], rest["next_cursor"]) == (3, None)

    @pytest.mark.alone
    async def test_that_of_the_installation_is_read_by_everybody(self, owner: Caller, admin: Caller) -> None:
        announced = (await admin.post("/announcements", NEWS)).json()
        assert announced["workspace_id"] is None
        assert (await owner.get("/announcements")).json()["items"] == [announced]
        assert (await owner.get(f"/announcements/{announced['id']}")).json() == announced
