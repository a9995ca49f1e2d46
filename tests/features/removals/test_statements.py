"""What is done to many tasks or statuses takes as many statements as for one."""

from typing import Any

import pytest

from tests.conftest import RolledBackDatabase
from tests.factories.callers import Caller
from tests.factories.tracker import make_project, make_status, make_task, make_workspace_label
from tests.statements import statements

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_statuses(
    owner: Caller, workspace: dict[str, Any], database: RolledBackDatabase, method: str
) -> None:
    counts = []
    for number in (1, 12):
        project = await make_project(owner, workspace)
        for _ in range(number):
            await make_status(owner, project)
        keys = [
            each["key"] for each in (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"]
        ]
        status = await make_status(owner, project, position=0, next=keys)
        for _ in range(number):
            await make_task(owner, project, status=status["key"])
        path = f"/statuses/{status['id']}"
        with statements(database) as sent:
            match method:
                case "POST":
                    new = {"key": "new", "name": "New", "category": "done", "position": 0, "next": keys}
                    answer = await owner.post(f"/projects/{project['id']}/statuses", new)
                case "PATCH":
                    answer = await owner.patch(path, {"name": "New", "position": 3, "next": keys[:number]})
                case _:
                    answer = await owner.delete(f"{path}?move_to=done")
        assert answer.is_success, answer.text
        counts.append(len(sent))
    assert counts[0] == counts[1]


async def test_labels(owner: Caller, workspace: dict[str, Any], database: RolledBackDatabase) -> None:
    counts = []
    for number in (1, 12):
        label = await make_workspace_label(owner, workspace)
        for _ in range(number):
            await make_task(owner, await make_project(owner, workspace), label_ids=[label["id"]])
        with statements(database) as sent:
            assert (await owner.delete(f"/labels/{label['id']}")).status_code == 204
        counts.append(len(sent))
    assert counts[0] == counts[1]
