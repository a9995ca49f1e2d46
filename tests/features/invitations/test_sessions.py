import pytest

from tests.factories.callers import Caller
from tests.factories.tracker import make_workspace

pytestmark = pytest.mark.anyio

OPERATIONS = [
    ("POST", "/workspaces/{workspace}/invitations", {"email": "new@example.com", "role": "member"}),
    ("GET", "/workspaces/{workspace}/invitations", None),
    ("GET", "/workspaces/{workspace}/invitations/{invitation}", None),
    ("DELETE", "/workspaces/{workspace}/invitations/{invitation}", None),
    ("POST", "/invitations/accept", {"token": "gwi_any"}),
]


async def test_nothing_is_done_for_who_has_logged_out(owner: Caller) -> None:
    workspace = await make_workspace(owner)
    invitation = await owner.post(
        f"/workspaces/{workspace['id']}/invitations", {"email": "guest@example.com", "role": "member"}
    )
    ids = {"workspace": workspace["id"], "invitation": invitation.json()["id"]}
    await owner.post("/auth/logout")
    for method, path, body in OPERATIONS:
        response = await owner.request(method, path.format(**ids), json=body)
        assert response.status_code == 401, (method, path)
        assert response.json()["error"]["code"] == "SESSION_ENDED"
