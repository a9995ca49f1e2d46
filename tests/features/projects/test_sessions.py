from typing import Any

import pytest

from tests.factories.callers import Caller
from tests.factories.tracker import make_label

pytestmark = pytest.mark.anyio

OPERATIONS = [
    ("POST", "/workspaces/{workspace}/projects", {"name": "New", "key": "NEW"}),
    ("GET", "/workspaces/{workspace}/projects", None),
    ("GET", "/projects/{project}", None),
    ("PATCH", "/projects/{project}", {"name": "New"}),
    ("DELETE", "/projects/{project}", None),
    ("GET", "/projects/{project}/statuses", None),
    ("POST", "/projects/{project}/labels", {"name": "new"}),
    ("GET", "/projects/{project}/labels", None),
    ("GET", "/labels/{label}", None),
    ("PATCH", "/labels/{label}", {"name": "new"}),
    ("DELETE", "/labels/{label}", None),
]


async def test_nothing_is_done_for_who_has_logged_out(owner: Caller, project: dict[str, Any]) -> None:
    label = await make_label(owner, project)
    ids = {"workspace": project["workspace_id"], "project": project["id"], "label": label["id"]}
    await owner.post("/auth/logout")
    for method, path, body in OPERATIONS:
        response = await owner.request(method, path.format(**ids), json=body)
        assert response.status_code == 401, (method, path)
        assert response.json()["error"]["code"] == "SESSION_ENDED"
