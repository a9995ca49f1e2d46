from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token
from tests.factories.webhooks import make_webhook
from tests.features.workspaces.roles import with_role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def webhook(owner: Caller, workspace: dict[str, Any]) -> Any:
    return await make_webhook(owner, workspace, "https://example.com/changes")


@pytest.fixture
async def delivery(owner: Caller, webhook: dict[str, Any]) -> Any:
    response = await owner.post(f"/webhooks/{webhook['id']}/pings")
    assert response.status_code == 201, response.text
    return response.json()


class TestWho:
    @pytest.mark.parametrize("role", [None, Role.VIEWER, Role.MEMBER, Role.ADMIN])
    async def test_admins_alone(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        webhook: dict[str, Any],
        delivery: dict[str, Any],
        role: Role | None,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        answers = [
            await caller.get(f"/webhooks/{webhook['id']}/deliveries"),
            await caller.get(f"/deliveries/{delivery['id']}"),
            await caller.post(f"/webhooks/{webhook['id']}/pings"),
            await caller.post(f"/deliveries/{delivery['id']}/redelivery"),
            await caller.post(f"/webhooks/{webhook['id']}/redeliveries", {"since": "2026-01-01T00:00:00Z"}),
        ]
        refused = 404 if role is None else 403
        due = [200, 200, 201, 200, 202] if role is Role.ADMIN else [refused] * 5
        assert [answer.status_code for answer in answers] == due

    async def test_a_script_needs_the_scope(self, owner: Caller, delivery: dict[str, Any]) -> None:
        script = await make_api_token(owner, "webhooks:read")
        headers = {"Authorization": f"Bearer {script['token']}"}
        path = f"/api/v1/deliveries/{delivery['id']}"
        assert (await owner.client.get(path, headers=headers)).status_code == 200
        refusal = await owner.client.post(f"{path}/redelivery", headers=headers)
        assert refusal.status_code == 403
        assert refusal.json()["error"]["details"] == {"scope": "webhooks:write"}


class TestList:
    @pytest.mark.parametrize(
        ("query", "number"),
        [
            ({}, 2),
            ({"status": "pending"}, 2),
            ({"status": ["delivered", "dead"]}, 0),
            ({"type": "webhook.ping"}, 2),
            ({"type": "task.created"}, 0),
            ({"created_after": "2026-01-01T00:00:00Z"}, 2),
            ({"created_before": "2026-01-01T00:00:00Z"}, 0),
        ],
    )
    async def test_is_filtered(
        self, owner: Caller, webhook: dict[str, Any], query: dict[str, Any], number: int
    ) -> None:
        for _ in range(2):
            await owner.post(f"/webhooks/{webhook['id']}/pings")
        listed = (await owner.get(f"/webhooks/{webhook['id']}/deliveries", **query, total=True)).json()
        assert (len(listed["items"]), listed["total"]) == (number, number)

    async def test_has_those_of_the_webhook_alone(
        self, owner: Caller, workspace: dict[str, Any], delivery: dict[str, Any]
    ) -> None:
        other = await make_webhook(owner, workspace, "https://example.com/changes")
        assert (await owner.get(f"/webhooks/{other['id']}/deliveries")).json()["items"] == []
        mine = (await owner.get(f"/webhooks/{delivery['webhook_id']}/deliveries")).json()["items"]
        assert [each["id"] for each in mine] == [delivery["id"]]


class TestRedelivery:
    async def test_raises_the_version(self, owner: Caller, delivery: dict[str, Any]) -> None:
        path = f"/deliveries/{delivery['id']}"
        answer = await owner.post(f"{path}/redelivery")
        assert answer.json()["version"] == delivery["version"] + 1
        assert (await owner.get(path)).headers["ETag"] == answer.headers["ETag"]

    @pytest.mark.parametrize("since", ["yesterday", 5, None, "2026-01-01T00:00:00"])
    async def test_since_no_time_is_refused(
        self, owner: Caller, webhook: dict[str, Any], since: object
    ) -> None:
        response = await owner.post(f"/webhooks/{webhook['id']}/redeliveries", {"since": since})
        assert response.status_code == 422
