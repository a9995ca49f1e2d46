"""What commits and pull requests say of tasks."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.features.receiving import service
from glasswork.features.receiving.schemas import closed_in, keys_in
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_hook, make_project, make_task, make_workspace

from .senders import Github, code_of, pull, push, taken

pytestmark = pytest.mark.anyio

Events = Callable[[], Awaitable[list[str]]]


async def status(caller: Caller, task: dict[str, Any]) -> str:
    shown: str = (await caller.get(f"/tasks/{task['id']}")).json()["status"]
    return shown


async def links(caller: Caller, task: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.get(f"/tasks/{task['id']}/links")).json()["items"]
    return items


class TestWords:
    @pytest.mark.parametrize(
        ("words", "keys"),
        [
            *(
                (f"{word} OPS-42", {"OPS-42"})
                for word in ("Fix", "fixes", "FIXED", "close", "Closes", "closed")
            ),
            *((f"{word}: OPS-42", {"OPS-42"}) for word in ("resolve", "Resolves", "resolved")),
            ("fixes:OPS-42", {"OPS-42"}),
            ("It (closes OPS-42).", {"OPS-42"}),
            ("resolved OPS-42, OPS-43,OPS-44 and OPS-45", {"OPS-42", "OPS-43", "OPS-44", "OPS-45"}),
            ("fixes\n\nOPS-1", {"OPS-1"}),
            ("fixes OPS-1, closes DEV-2; see OPS-3", {"OPS-1", "DEV-2"}),
            *(
                (text, set())
                for text in ("OPS-42", "fixing OPS-42", "prefix OPS-42", "fixes #42", "fixesOPS-42")
            ),
            *(
                (text, set())
                for text in ("fixes ops-42", "fixes XOPS", "fixes O-1", "fixes OPS-0", "fixes OPS-1x")
            ),
            ("fixes OPS-1234567890", set()),
        ],
    )
    def test_that_say_that_it_is_done(self, words: str, keys: set[str]) -> None:
        assert closed_in(words) == keys

    @pytest.mark.parametrize(
        ("words", "keys"),
        [
            ("See OPS-42, and DEV-1.", {"OPS-42", "DEV-1"}),
            ("[OPS-42] feature/OPS-43-more", {"OPS-42", "OPS-43"}),
            ("https://tracker.example/OPS-7?x", {"OPS-7"}),
            ("xOPS-1 OPS_1 OPS-01 ÄOPS-1 1OPS-1 OPS-1ü", set()),
        ],
    )
    def test_that_name_it(self, words: str, keys: set[str]) -> None:
        assert keys_in(words) == keys

    @pytest.mark.parametrize("word", ["fixes ", "fixes:", "OPS-1, ", "A", "fixes OPS-1,", "A1", " ", "and "])
    def test_that_go_on_for_a_megabyte(self, word: str) -> None:
        assert len(closed_in(word * (2**20 // len(word)))) <= 1


class TestPush:
    async def test_to_the_default_branch_completes_what_it_fixes_and_links_what_it_names(
        self, owner: Caller, github: Github, project: dict[str, Any], task: dict[str, Any], events: Events
    ) -> None:
        named, untouched = await make_task(owner, project), await make_task(owner, project)
        before = len(await events())
        message = f"Count right\n\nFixes {task['key']}, see {named['key']} and OPS-999, NONE-1."
        answer = await github.push(message)
        assert taken(answer, completed=[task["key"]], linked=[task["key"], named["key"]])
        assert [await status(owner, each) for each in (task, named, untouched)] == ["done", "todo", "todo"]
        assert (await events())[before:] == ["link.created", "link.created", "task.updated"]
        for each in (task, named):
            (link,) = await links(owner, each)
            assert link["kind"] == "commit"
            assert link["title"] == "Count right"
            assert link["url"].startswith("https://github.com/acme/ops/commit/")
            assert link["created_by"] == str(owner.id)
        assert await links(owner, untouched) == []

    async def test_elsewhere_only_links(self, owner: Caller, github: Github, task: dict[str, Any]) -> None:
        for branch in ("feature", "feature/main", "Main"):
            answer = await github.push(f"Fixes {task['key']}", branch=branch)
            assert taken(answer, linked=[task["key"]])
        tag = push(f"Fixes {task['key']}") | {"ref": "refs/tags/main"}
        assert taken(await github.tell(tag), linked=[task["key"]])
        assert await status(owner, task) == "todo"
        assert len(await links(owner, task)) == 4

    async def test_each_commit_is_linked_once(
        self, owner: Caller, github: Github, task: dict[str, Any], events: Events
    ) -> None:
        body = push(f"See {task['key']}, {task['key']}", f"Fixes {task['key']}", "Nothing")
        assert taken(await github.tell(body), completed=[task["key"]], linked=[task["key"]])
        assert len(await links(owner, task)) == 2
        before = await events()
        assert taken(
            await github.tell(body | {"forced": True}), completed=[task["key"]], linked=[task["key"]]
        )
        assert await events() == before

    async def test_what_repeats_is_made_anew(
        self, owner: Caller, github: Github, project: dict[str, Any], events: Events
    ) -> None:
        recurrence = {"rule": "FREQ=DAILY", "time_zone": "UTC"}
        task = await make_task(owner, project, due_at="2030-01-01T00:00:00Z", recurrence=recurrence)
        await github.push(f"Fixes {task['key']}")
        assert (await events())[-2:] == ["task.updated", "task.created"]

    async def test_a_workflow_that_forbids_it_is_kept(
        self, owner: Caller, github: Github, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        other = await make_task(owner, project, status="in_progress")
        statuses = (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"]
        await owner.patch(f"/statuses/{statuses[0]['id']}", {"next": ["in_progress"]})
        keys = [task["key"], other["key"]]
        assert taken(await github.push(f"Fixes {', '.join(keys)}"), completed=[other["key"]], linked=keys)
        assert [await status(owner, each) for each in (task, other)] == ["todo", "done"]

    async def test_a_former_key_is_still_known(
        self, owner: Caller, github: Github, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        other = await make_project(owner, workspace, key="DEV")
        await owner.post(f"/tasks/{task['id']}/move", {"project_id": other["id"]})
        assert taken(await github.push("Fixes OPS-1"), completed=["DEV-1"], linked=["DEV-1"])

    async def test_nothing_happens_to_what_is_deleted(
        self, owner: Caller, github: Github, workspace: dict[str, Any], task: dict[str, Any], events: Events
    ) -> None:
        other = await make_project(owner, workspace, key="DEV")
        await make_task(owner, other)
        await owner.delete(f"/projects/{other['id']}")
        await owner.delete(f"/tasks/{task['id']}")
        before = await events()
        assert taken(await github.push(f"Fixes {task['key']}, DEV-1"))
        assert await events() == before

    async def test_a_hook_of_one_project_changes_no_other(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        other = await make_task(owner, await make_project(owner, workspace, key="DEV"))
        github = Github(owner.client, await make_hook(owner, workspace, project_id=project["id"]))
        answer = await github.push(f"Fixes {task['key']}, {other['key']}")
        assert taken(answer, completed=[task["key"]], linked=[task["key"]])
        assert await status(owner, other) == "todo"
        assert await links(owner, other) == []

    @pytest.mark.alone
    async def test_keys_of_other_workspaces_are_not_meant(
        self, owner: Caller, callers: Callers, github: Github
    ) -> None:
        elsewhere = [
            await make_task(each, await make_project(each, await make_workspace(each), key="OPS"))
            for each in (await callers.user(), owner)
        ]
        assert {each["key"] for each in elsewhere} == {"OPS-1"}
        assert taken(await github.push("Fixes OPS-1"))
        assert await status(owner, elsewhere[1]) == "todo"
        async with callers.database.reading() as session:
            assert (await session.execute(text("SELECT count(*) FROM task_links"))).scalar_one() == 0

    async def test_more_names_than_are_taken(
        self,
        owner: Caller,
        github: Github,
        project: dict[str, Any],
        task: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "MOST", 2)
        tasks = [task, *[await make_task(owner, project) for _ in range(2)]]
        answer = await github.push(*(f"Fixes {each['key']}" for each in tasks))
        keys = [each["key"] for each in tasks[:2]]
        assert taken(answer, completed=keys, linked=keys)

    async def test_five_hundred_are(self, github: Github, task: dict[str, Any]) -> None:
        names = " ".join(f"OPS-{number}" for number in range(2, 500))
        answer = await github.push(
            f"{names} Fixes {task['key']}", *(f"See {task['key']}" for _ in range(200))
        )
        assert answer.status_code == 200, answer.text


class TestPullRequest:
    @pytest.mark.parametrize("action", ["opened", "edited", "reopened", "synchronize"])
    async def test_is_linked(
        self, owner: Caller, github: Github, project: dict[str, Any], task: dict[str, Any], action: str
    ) -> None:
        by_body, by_branch = await make_task(owner, project), await make_task(owner, project)
        branch = f"bob/{by_branch['key'].lower()}-count"
        answer = await github.pull(
            action, f"Fixes {task['key']}", body=f"For {by_body['key']}", head=branch, merged=False
        )
        tasks = [task, by_body, by_branch]
        assert taken(answer, linked=[each["key"] for each in tasks])
        for each in tasks:
            assert await status(owner, each) == "todo"
            (link,) = await links(owner, each)
            assert link["kind"] == "pull_request"
            assert link["title"] == f"Fixes {task['key']}"
            assert link["url"] == "https://github.com/acme/ops/pull/7"

    async def test_merged_completes_what_it_fixes(
        self, owner: Caller, github: Github, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        named = await make_task(owner, project)
        await github.pull("opened", f"Count {named['key']}")
        body = f"Resolves {task['key']}"
        answer = await github.pull("closed", f"Count {named['key']}", body=body, merged=True)
        assert taken(answer, completed=[task["key"]], linked=[task["key"], named["key"]])
        assert [await status(owner, each) for each in (task, named)] == ["done", "todo"]
        assert len(await links(owner, named)) == 1

    @pytest.mark.parametrize(
        ("action", "fields"),
        [
            ("closed", {}),
            ("closed", {"merged": True, "base": "release"}),
            ("labeled", {}),
            ("opened", {"title": "Nothing"}),
        ],
    )
    async def test_else_there_is_nothing_to_do(
        self, owner: Caller, github: Github, task: dict[str, Any], action: str, fields: dict[str, Any]
    ) -> None:
        assert taken(await github.pull(action, fields.pop("title", f"Fixes {task['key']}"), **fields))
        assert await status(owner, task) == "todo"


class TestOthers:
    @pytest.mark.parametrize("event", ["issues", "workflow_run", "push_", "PUSH", "x" * 300])
    async def test_events_are_ignored(self, github: Github, task: dict[str, Any], event: str) -> None:
        assert taken(await github.tell(push(f"Fixes {task['key']}"), event))

    @pytest.mark.parametrize(
        ("event", "body", "loc"),
        [
            ("push", {}, ["body", "ref"]),
            ("push", [], ["body"]),
            ("push", push("OPS-1") | {"commits": None}, ["body", "commits"]),
            ("push", push("null\x00"), ["body", "commits", "0", "message"]),
            ("pull_request", pull("opened", "OPS-1", html_url="javascript:1"), None),
            ("pull_request", pull("opened", "OPS-1", head=7), None),
        ],
    )
    async def test_what_github_would_never_send_is_refused(
        self, github: Github, event: str, body: Any, loc: list[str] | None
    ) -> None:
        answer = await github.tell(body, event)
        assert code_of(answer) == (422, "VALIDATION_ERROR")
        places = [each["loc"] for each in answer.json()["error"]["details"]["errors"]]
        assert loc is None or loc in places
        assert "javascript:1" not in answer.text

    async def test_one_refused_leaves_nothing_behind(self, github: Github, database: Database) -> None:
        body = push("OPS-1")
        assert (await github.tell(body | {"commits": None})).status_code == 422
        async with database.reading() as session:
            for table in ("received_messages", "user_sessions WHERE user_agent IS NULL AND sequence < 0"):
                assert (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0

    async def test_who_sent_it_can_be_told_from_the_events(
        self,
        owner: Caller,
        github: Github,
        workspace: dict[str, Any],
        task: dict[str, Any],
        database: Database,
    ) -> None:
        await github.push(f"Fixes {task['key']}")
        last = (await owner.get(f"/workspaces/{workspace['id']}/changes")).json()["items"][-1]
        assert (last["type"], last["actor_id"]) == ("task.updated", str(owner.id))
        told = text(
            "SELECT hook_id::text FROM workspace_events JOIN received_messages"
            " ON received_messages.id = session_id WHERE seq = :seq"
        )
        sessions = text("SELECT count(*) FROM user_sessions WHERE user_id = :id")
        async with database.reading() as session:
            assert (await session.execute(told, {"seq": last["seq"]})).scalar_one() == github.hook["id"]
            assert (await session.execute(sessions, {"id": owner.id})).scalar_one() == 1


async def test_an_unknown_key_of_a_long_number_is_none(github: Github) -> None:
    assert taken(await github.push(f"Fixes OPS-999999999 {uuid7()}"))
