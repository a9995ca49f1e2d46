import pytest

from tests.factories.callers import Callers
from tests.factories.tracker import make_project, make_task, make_workspace

pytestmark = pytest.mark.anyio


class TestGet:
    async def test_outsider_sees_nothing(self, callers: Callers) -> None:
        owner, outsider = await callers.user(), await callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        response = await outsider.get(f"/tasks/{task['id']}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "TASK_NOT_FOUND"

    async def test_shows_the_task(self, callers: Callers) -> None:
        owner = await callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        response = await owner.get(f"/tasks/{task['id']}")
        assert response.json() == task
        assert response.headers["ETag"] == '"1"'
