from typing import Any

import pytest

from tests.factories.callers import Caller

pytestmark = pytest.mark.anyio

OPERATIONS = [
    ("POST", "/projects/{project}/tasks", {"title": "New"}),
    ("GET", "/projects/{project}/tasks", None),
    ("GET", "/workspaces/{workspace}/tasks", None),
    ("GET", "/workspaces/{workspace}/tasks/{key}", None),
    ("GET", "/tasks/{task}", None),
    ("PATCH", "/tasks/{task}", {"title": "New"}),
    ("DELETE", "/tasks/{task}", None),
    ("POST", "/tasks/{task}/restore", None),
    ("PUT", "/tasks/{task}/completion", None),
    ("DELETE", "/tasks/{task}/completion", None),
]


async def test_nothing_is_done_for_who_has_logged_out(owner: Caller, task: dict[str, Any]) -> None:
    ids = {"workspace": task["workspace_id"], "project": task["project_id"]}
    ids |= {"task": task["id"], "key": task["key"]}
    await owner.post("/auth/logout")
    for method, path, body in OPERATIONS:
        response = await owner.request(method, path.format(**ids), json=body)
        assert response.status_code == 401, (method, path)
        assert response.json()["error"]["code"] == "SESSION_ENDED"
