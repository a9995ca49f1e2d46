from asyncio import gather
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_link, make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

URL = "https://example.com/minutes?of=monday#top"


def place(task: dict[str, Any], link: dict[str, Any] | None = None) -> str:
    return f"/tasks/{task['id']}/links" + (f"/{link['id']}" if link else "")


async def urls(caller: Caller, task: dict[str, Any]) -> list[str]:
    return [link["url"] for link in (await caller.get(place(task))).json()["items"]]


class TestRefusals:
    @by_role(viewer=403, member=201, admin=201, owner=201)
    async def test_to_link_is_for_those_who_work_there(
        self, callers: Callers, workspace: dict[str, Any], task: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(place(task), {"url": URL})).status_code == status

    @by_role(viewer=403, member=204, admin=204, owner=204)
    async def test_to_take_it_off_too(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        role: Role,
        status: int,
    ) -> None:
        link = await make_link(owner, task)
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(place(task, link))).status_code == status
        assert len(await urls(owner, task)) == (status != 204)

    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_to_look_is_for_members(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        role: Role,
        status: int,
    ) -> None:
        link = await make_link(owner, task)
        caller = await with_role(callers, workspace, role)
        for path in (place(task), place(task, link)):
            assert (await caller.get(path)).status_code == status

    @pytest.mark.parametrize(
        "url",
        [
            *("javascript:alert(1)", "data:text/html,x", "ftp://example.com", "file:///etc/passwd", "//a.b"),
            *(
                "https://",
                "https:///path",
                "https://user@example.com",
                "https://u:p@example.com/",
                "example.com",
            ),
            *("https://example.com/a b", "https://example.com/\n", "https://exämple.com", "https://a.b/\x00"),
            *("https://good.example\\@evil.example", "https://example.com:", "https://[::1", ""),
            f"https://example.com/{'a' * 2000}",
        ],
    )
    async def test_of_what_is_no_address_to_go_to(
        self, owner: Caller, task: dict[str, Any], url: str
    ) -> None:
        answer = await owner.post(place(task), {"url": url})
        assert answer.status_code == 422
        assert answer.json()["error"]["details"]["errors"][0]["loc"] == ["body", "url"]
        assert await urls(owner, task) == []

    async def test_of_the_same_address_twice(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await make_link(owner, task, url=URL)
        answer = await owner.post(place(task), {"url": URL, "title": "Another"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "TASK_LINK_EXISTS")
        await make_link(owner, await make_task(owner, project), url=URL)

    async def test_of_a_link_at_another_task(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        link, other = await make_link(owner, task), await make_task(owner, project)
        for at, code in ((other, "TASK_LINK_NOT_FOUND"), ({"id": uuid7()}, "TASK_NOT_FOUND")):
            for method in ("GET", "DELETE"):
                answer = await owner.request(method, place(at, link))
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)

    async def test_of_a_stale_etag(self, owner: Caller, task: dict[str, Any]) -> None:
        path = place(task, await make_link(owner, task))
        statuses = [(await owner.delete(path, if_match=etag)).status_code for etag in ('"2"', '"1"', "*")]
        assert statuses == [412, 204, 404]


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:8080", "https://[2001:db8::1]:443/x", "https://example.com?q=a@b", URL),
        f"https://example.com/{'a' * 1980}",
    ],
)
async def test_it_is_shown_as_it_was_given(
    owner: Caller, workspace: dict[str, Any], task: dict[str, Any], url: str
) -> None:
    answer = await owner.post(place(task), {"url": url})
    link = answer.json()
    assert link == {
        "id": link["id"],
        "workspace_id": workspace["id"],
        "task_id": task["id"],
        "kind": "web",
        "url": url,
        "title": None,
        "version": 1,
        "created_by": str(owner.id),
        "created_at": link["created_at"],
        "updated_at": link["created_at"],
    }
    assert answer.headers["Location"] == f"/api/v1{place(task, link)}"
    assert (await owner.get(place(task, link))).json() == link
    assert (await owner.get(place(task))).json()["items"] == [link]


async def test_a_page_follows_the_other(owner: Caller, task: dict[str, Any]) -> None:
    made = [(await make_link(owner, task))["url"] for _ in range(3)]
    first = (await owner.get(place(task), limit=2)).json()
    last = (await owner.get(place(task), limit=2, cursor=first["next_cursor"])).json()
    assert [link["url"] for link in first["items"] + last["items"]] == made


async def test_it_is_hidden_with_its_task_and_its_project(
    owner: Caller, project: dict[str, Any], task: dict[str, Any]
) -> None:
    link = await make_link(owner, task)
    paths = place(task), place(task, link)
    await owner.delete(f"/tasks/{task['id']}")
    assert [(await owner.get(path)).status_code for path in paths] == [404, 404]
    await owner.post(f"/tasks/{task['id']}/restore")
    assert [(await owner.get(path)).status_code for path in paths] == [200, 200]
    await owner.delete(f"/projects/{project['id']}")
    assert [(await owner.get(path)).status_code for path in paths] == [404, 404]
    assert (await owner.delete(paths[1])).status_code == 404


async def test_the_activity_of_its_task_and_project_tells_of_it(
    owner: Caller, project: dict[str, Any], task: dict[str, Any]
) -> None:
    kept, link = await make_link(owner, task), await make_link(owner, task)
    await owner.delete(place(task, link))
    for path in (f"/tasks/{task['id']}", f"/projects/{project['id']}"):
        told = (await owner.get(f"{path}/activity")).json()["items"]
        assert [item["type"] for item in told[:3]] == ["link.deleted", "link.created", "link.created"]
        assert {item["task"]["key"] for item in told[:3]} == {task["key"]}
        assert [told[0]["before"], told[1]["after"], told[2]["after"]] == [link, link, kept]


async def test_the_same_at_once_is_once(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
    answers = await gather(*(owner.post(place(task), {"url": URL}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
