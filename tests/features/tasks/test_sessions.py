from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.factories.callers import Caller

pytestmark = pytest.mark.anyio

BULK = {"mode": "atomic", "operations": [{"op": "restore", "task_id": str(uuid7())}]}
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
    ("GET", "/tasks/{task}/subtasks", None),
    ("PUT", "/tasks/{task}/position", {"after_id": None}),
    ("POST", "/tasks/{task}/move", {"project_id": str(uuid7())}),
    ("PUT", "/tasks/{task}/archive", None),
    ("DELETE", "/tasks/{task}/archive", None),
    ("GET", "/tasks/{task}/relations", None),
    ("GET", "/tasks/{task}/relations/{task}", None),
    ("DELETE", "/tasks/{task}/relations/{task}", None),
    ("POST", "/tasks/{task}/relations", {"kind": "blocks", "task_id": str(uuid7())}),
    ("PUT", "/tasks/{task}/watchers/{task}", None),
    ("DELETE", "/tasks/{task}/watchers/{task}", None),
    ("POST", "/workspaces/{workspace}/tasks/bulk", BULK),
]


async def test_nothing_is_done_for_who_has_logged_out(owner: Caller, task: dict[str, Any]) -> None:
    ids = {"workspace": task["workspace_id"], "project": task["project_id"]}
    ids |= {"task": task["id"], "key": task["key"]}
    await owner.post("/auth/logout")
    for method, path, body in OPERATIONS:
        response = await owner.request(method, path.format(**ids), json=body)
        assert response.status_code == 401, (method, path)
        assert response.json()["error"]["code"] == "SESSION_ENDED"
