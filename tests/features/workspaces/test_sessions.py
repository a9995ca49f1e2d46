import pytest

from tests.factories.callers import Caller
from tests.factories.tracker import make_workspace

pytestmark = pytest.mark.anyio

OPERATIONS = [
    ("POST", "/workspaces", {"name": "New", "slug": "new"}),
    ("GET", "/workspaces", None),
    ("GET", "/workspaces/{workspace}", None),
    ("PATCH", "/workspaces/{workspace}", {"name": "New"}),
    ("DELETE", "/workspaces/{workspace}", None),
]


async def test_nothing_is_done_for_who_has_logged_out(owner: Caller) -> None:
    workspace = await make_workspace(owner)
    await owner.post("/auth/logout")
    for method, path, body in OPERATIONS:
        response = await owner.request(method, path.format(workspace=workspace["id"]), json=body)
        assert response.status_code == 401, (method, path)
        assert response.json()["error"]["code"] == "SESSION_ENDED"
