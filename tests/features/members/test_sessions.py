import pytest

from tests.factories.callers import Caller
from tests.factories.tracker import make_workspace

pytestmark = pytest.mark.anyio

OPERATIONS = [
    ("GET", "/workspaces/{workspace}/members", None),
    ("GET", "/workspaces/{workspace}/members/{user}", None),
    ("PATCH", "/workspaces/{workspace}/members/{user}", {"role": "owner"}),
    ("DELETE", "/workspaces/{workspace}/members/{user}", None),
]


async def test_nothing_is_done_for_who_has_logged_out(owner: Caller) -> None:
    workspace = await make_workspace(owner)
    ids = {"workspace": workspace["id"], "user": owner.id}
    await owner.post("/auth/logout")
    for method, path, body in OPERATIONS:
        response = await owner.request(method, path.format(**ids), json=body)
        assert response.status_code == 401, (method, path)
        assert response.json()["error"]["code"] == "SESSION_ENDED"
