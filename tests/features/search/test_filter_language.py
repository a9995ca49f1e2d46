from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.relations.models import Kind, Relation
from glasswork.features.tasks.models import Watcher
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task
from tests.features.search.lists import make_tasks, path_of, put, titles

pytestmark = pytest.mark.anyio


async def found(caller: Caller, project: dict[str, Any], *filters: str) -> list[str]:
    return [await titles(caller, path_of(project), filter=text) for text in filters]


async def test_errors_point_at_the_column(owner: Caller, project: dict[str, Any]) -> None:
    for path in (path_of(project), f"/workspaces/{project['workspace_id']}/tasks"):
        refused = await owner.get(path, filter="status:open port lable:bug")
        assert refused.status_code == 422
        assert refused.json()["error"]["details"]["errors"] == [
            {
                "loc": ["query", "filter"],
                "code": "filter_syntax",
                "message": "column 18: there is no field lable; did you mean label?",
            }
        ]
        assert (await owner.get(path, filter="status:open port label:bug")).status_code == 200


async def test_status(owner: Caller, project: dict[str, Any]) -> None:
    await make_tasks(owner, project, a={}, b={"status": "in_progress"}, c={"status": "done"})
    filters = ("status:open", "status:closed", "status:in_progress,done", "-status:todo", "status:nothing")
    assert await found(owner, project, *filters) == ["ab", "c", "bc", "bc", ""]
    assert await found(owner, project, 'status:"open"', "-status:nothing", "") == ["", "abc", "abc"]


async def test_priority(owner: Caller, project: dict[str, Any]) -> None:
    await make_tasks(owner, project, a={}, b={"priority": "high"}, c={"priority": "urgent"})
    filters = ("priority:high", "priority:>=high", "priority:<high", "priority:none,urgent", "-priority:none")
    assert await found(owner, project, *filters) == ["b", "bc", "a", "ac", "bc"]
    assert await found(owner, project, "priority:>urgent", "-priority:>urgent") == ["", "abc"]


async def test_people(owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
    other = await callers.member(project["workspace_id"])
    mine, theirs = {"assignee_id": str(owner.id)}, {"assignee_id": str(other.id)}
    ids = await make_tasks(owner, project, a=mine, b=theirs)
    ids |= await make_tasks(other, project, c={})
    async with callers.database.system_transaction() as session:
        for title in "ab":
            watched = {"workspace_id": UUID(project["workspace_id"]), "task_id": UUID(ids[title])}
            session.add(Watcher(**watched, user_id=owner.id if title == "a" else other.id))
    name = other.username.upper()
    filters = ("assignee:me", f"assignee:{name}", "assignee:none", f"assignee:me,{name}", "-assignee:me")
    assert await found(owner, project, *filters) == ["a", "b", "c", "ab", "bc"]
    assert await found(owner, project, "creator:me", f"-creator:{name}", "creator:nobody") == ["ab", "ab", ""]
    filters = ("watcher:me", f"watcher:{name}", "watcher:none", "-watcher:me", f"watcher:none,{name}")
    assert await found(owner, project, *filters) == ["a", "b", "c", "bc", "bc"]
    assert await found(owner, project, 'assignee:"me"', "assignee:nobody", "-assignee:nobody") == [
        "",
        "",
        "abc",
    ]


async def test_labels(owner: Caller, project: dict[str, Any]) -> None:
    bug, odd = [(await make_label(owner, project, name=name))["id"] for name in ("bug", 'A, "b"')]
    await make_tasks(owner, project, a={"label_ids": [bug]}, b={"label_ids": [bug, odd]}, c={})
    filters = ("label:BUG", 'label:"a, \\"b\\""', "label:none", "-label:bug", "label:none,bug", "label:ui")
    assert await found(owner, project, *filters) == ["ab", "b", "c", "c", "abc", ""]
    assert await found(owner, project, "label:bug -label:none word") == [""]


async def test_parent_and_is(owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
    ids = await make_tasks(owner, project, a={}, b={}, c={}, d={})
    await put(callers, ids["b"], parent_id=UUID(ids["a"]))
    await put(callers, ids["c"], archived_at=datetime.now(UTC))
    key = (await owner.get(f"/tasks/{ids['a']}")).json()["key"]
    filters = (f"parent:{key}", f"parent:{key.lower()}", "parent:none", "parent:OPS-99", "is:subtask")
    assert await found(owner, project, *filters) == ["b", "b", "ad", "", "b"]
    more = ("is:archived", "-is:archived", "is:archived,subtask", "-is:subtask")
    assert await found(owner, project, *more) == ["c", "abd", "bc", "ad"]
    assert await titles(owner, path_of(project), filter="is:archived", archived="false") == ""
    await owner.delete(f"/tasks/{ids['a']}")
    assert await found(owner, project, f"parent:{key}") == [""]


async def test_blocked_is_what_waits_for_something_open(
    owner: Caller, callers: Callers, project: dict[str, Any]
) -> None:
    ids = await make_tasks(owner, project, a={}, b={}, c={}, d={})
    relations = [(Kind.BLOCKS, "a", "b"), (Kind.RELATES, "c", "d")]
    async with callers.database.system_transaction() as session:
        for kind, blocker, blocked in relations:
            session.add(
                Relation(
                    id=uuid7(),
                    workspace_id=UUID(project["workspace_id"]),
                    kind=kind,
                    from_id=UUID(ids[blocker]),
                    to_id=UUID(ids[blocked]),
                )
            )
    assert await found(owner, project, "is:blocked", "-is:blocked") == ["b", "acd"]
    await owner.put(f"/tasks/{ids['a']}/completion")
    assert await found(owner, project, "is:blocked") == [""]
    await owner.delete(f"/tasks/{ids['a']}/completion")
    assert await found(owner, project, "is:blocked") == ["b"]
    await owner.delete(f"/tasks/{ids['a']}")
    assert await found(owner, project, "is:blocked") == [""]


async def test_estimates(owner: Caller, project: dict[str, Any]) -> None:
    minutes = {"a": 30, "b": 90, "c": 120}
    await make_tasks(owner, project, d={}, **{key: {"estimate_minutes": n} for key, n in minutes.items()})
    filters = ("estimate:30m", "estimate:1h30m", "estimate:>=90m", "estimate:<2h", "estimate:>2h")
    assert await found(owner, project, *filters) == ["a", "b", "bc", "ab", ""]
    assert await found(owner, project, "estimate:none", "-estimate:>30m", "estimate:<=30m,none") == [
        "d",
        "ad",
        "ad",
    ]


async def test_amounts_go_back_for_what_has_been(
    owner: Caller, callers: Callers, project: dict[str, Any]
) -> None:
    ids = await make_tasks(owner, project, a={}, b={}, c={"status": "done"})
    old = datetime.now(UTC) - timedelta(days=10)
    await put(callers, ids["a"], created_at=old, updated_at=old)
    for field in ("created", "updated"):
        filters = (f"{field}:<1w", f"{field}:>1w", f"{field}:10d", f"{field}:today", f"-{field}:today")
        assert await found(owner, project, *filters) == ["bc", "a", "a", "bc", "a"], field
    assert await found(owner, project, "completed:<1d", "completed:none", "start:none") == ["c", "ab", "abc"]
    assert await found(owner, project, "created:>2020-01-01", "created:<2020-01-01") == ["abc", ""]


async def test_words(owner: Caller, project: dict[str, Any]) -> None:
    texts = {"a": "The open port number", "b": "A port", "c": "Number of the open port"}
    await make_tasks(owner, project, **{key: {"description": words} for key, words in texts.items()})
    filters = (
        "port",
        "ports number",
        '"port number"',
        "port -number",
        '-"port number"',
        "the port",
        "or",
        "xyz",
    )
    assert await found(owner, project, *filters) == ["abc", "ac", "a", "b", "bc", "abc", "", ""]
    assert await titles(owner, path_of(project), filter="number", q="open -a") == "ac"
    assert await titles(owner, path_of(project), filter="number", q="xyz") == ""


async def test_projects_are_a_field_of_the_workspace(owner: Caller, project: dict[str, Any]) -> None:
    other = await make_project(owner, {"id": project["workspace_id"]}, key="WEB")
    for title, place in (("a", project), ("b", other)):
        await make_task(owner, place, title=title)
    path = f"/workspaces/{project['workspace_id']}/tasks"
    assert await titles(owner, path, filter="project:ops") == "a"
    assert await titles(owner, path, filter="-project:OPS") == "b"
    assert await titles(owner, path, filter="project:OPS,WEB") == "ab"
    assert (await owner.get(path_of(project), filter="project:OPS")).status_code == 422


async def test_a_cursor_belongs_to_its_filter(owner: Caller, project: dict[str, Any]) -> None:
    await make_tasks(owner, project, a={}, b={}, c={})
    query = {"filter": "status:open", "sort": "title", "limit": 2}
    cursor = (await owner.get(path_of(project), **query)).json()["next_cursor"]
    second = await owner.get(path_of(project), **query, cursor=cursor)
    assert [item["title"] for item in second.json()["items"]] == ["c"]
    assert (
        await owner.get(path_of(project), **query | {"cursor": cursor, "filter": "-x"})
    ).status_code == 422


@pytest.mark.parametrize(
    "text", ["(", "'", "%", "a:b", "\\", '"\\\\"', "&|!<->", ":*", "due:<", "é", "\u2028x", "-" * 500]
)
async def test_odd_text_is_no_error_of_ours(owner: Caller, project: dict[str, Any], text: str) -> None:
    assert (await owner.get(path_of(project), filter=text)).status_code in {200, 422}


async def test_far_days_are_no_error(owner: Caller, project: dict[str, Any]) -> None:
    filters = ("due:<999y", "created:>999y", "due:9000-12-31", "due:1900-01-01", "created:<999m", "due:<999w")
    for zone in ("UTC", "Pacific/Kiritimati", "Etc/GMT+12"):
        for text in filters:
            assert (await owner.get(path_of(project), filter=text, time_zone=zone)).status_code == 200, text
