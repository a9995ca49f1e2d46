import json
import logging
from collections.abc import Awaitable, Callable
from time import time
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from glasswork.commands import import_file
from glasswork.core.db import Database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.outgoing import open_outgoing
from glasswork.core.sealing import unseal
from glasswork.core.telemetry.signals import Signals
from glasswork.core.tokens import Keys
from glasswork.features.importing import service
from glasswork.features.importing.jobs import RUN_IMPORT
from glasswork.features.importing.service import Importer
from glasswork.features.imports.schemas import IMPORT_CREATE
from glasswork.features.intake.errors import PostponedError
from glasswork.features.seals.service import SealService
from glasswork.features.sources.service import Sources
from tests.core.outside import Outside, answer, hang_up
from tests.core.telemetry.conftest import Log
from tests.factories.callers import Caller, Callers
from tests.factories.imports import faults_of, load, make_import, make_importer, shown
from tests.factories.tracker import make_workspace
from tests.factories.work import work_off
from tests.github import REPOSITORY, Github, make_comment, make_issue

pytestmark = pytest.mark.anyio

TOKEN = "ghp_a-token-that-nobody-sees"

Begin = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def begin(owner: Caller, workspace: dict[str, Any], github: Github) -> Begin:
    del github

    async def begin(**options: Any) -> dict[str, Any]:
        given = {"repository": REPOSITORY} | options
        return await make_import(owner, workspace, format="github", options=given, project_key="OPS")

    return begin


@pytest.fixture
def bring(app: FastAPI, database: Database, owner: Caller, begin: Begin) -> Begin:
    async def bring(**options: Any) -> dict[str, Any]:
        made = await begin(**options)
        await work_off(app, database, RUN_IMPORT)
        return await shown(owner, made)

    return bring


async def tasks_of(owner: Caller, workspace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    items = (await owner.get(f"/workspaces/{workspace['id']}/tasks", sort="number", limit=100)).json()
    return {item["key"]: item for item in items["items"]}


async def comments_of(owner: Caller, task: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await owner.get(f"/tasks/{task['id']}/comments")).json()["items"]
    return items


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            *({}, {"repository": "keeper-notes"}, {"repository": "a/b/c"}, {"repository": "a/.."}),
            *({"repository": "../b"}, {"repository": "a/b?x"}, {"repository": "a b/c"}),
            {"repository": REPOSITORY, "token": "a\nb"},
            {"repository": REPOSITORY, "token": ""},
            {"repository": REPOSITORY, "state": "merged"},
        ],
    )
    async def test_that_cannot_be_are_refused(
        self, owner: Caller, workspace: dict[str, Any], options: dict[str, Any]
    ) -> None:
        path = f"/workspaces/{workspace['id']}/imports"
        refused = await owner.post(path, {"format": "github", "options": options})
        assert refused.status_code == 422
        assert "a\\nb" not in refused.text
        made = await owner.post(path, {"format": "github", "options": {"repository": "a/.github"}})
        assert (made.status_code, made.json()["status"]) == (201, "queued")

    async def test_there_is_no_file_to_send(self, owner: Caller, begin: Begin) -> None:
        made = await begin()
        refused = await owner.request("PUT", f"/imports/{made['id']}/file", content=b"x")
        assert refused.json()["error"]["code"] == "IMPORT_UNDER_WAY"


class TestImport:
    async def test_keeps_issues_and_pull_requests_as_they_were(
        self, owner: Caller, workspace: dict[str, Any], bring: Begin
    ) -> None:
        ended = await bring()
        counts = {"tasks": 3, "comments": 3, "labels": 3, "faults": 1, "done": 6, "total": None}
        assert ended == ended | counts | {"status": "completed", "source": f"github.com/{REPOSITORY}"}
        assert await faults_of(owner, ended) == [
            ("labels[2]", "INVALID_RECORD", "color: String should match pattern '^[0-9A-Fa-f]{6}$'")
        ]
        tasks = await tasks_of(owner, workspace)
        two = tasks["OPS-2"]
        assert two == two | {"title": "Note 2", "description": "# Lamp", "status": "todo", "version": 1}
        assert two == two | {"created_at": "2020-01-01T08:02:00Z", "updated_at": "2020-01-02T08:00:00Z"}
        assert two["external"] == {
            "source": f"github.com/{REPOSITORY}",
            "id": "2",
            "url": f"https://github.com/{REPOSITORY}/issues/2",
            "author": "keeper",
            "assignees": ["mate", "boy"],
        }
        assert {key: (task["status"], task["completed_at"]) for key, task in tasks.items()} == {
            "OPS-2": ("todo", None),
            "OPS-3": ("done", "2020-02-01T00:00:00Z"),
            "OPS-5": ("done", "2020-02-01T00:00:00Z"),
        }
        assert [(each["body"], each["external"]["author"]) for each in await comments_of(owner, two)] == [
            ("Aye", "mate"),
            ("Aye, aye", "mate"),
        ]

    async def test_makes_a_project_named_after_the_repository(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any], github: Github
    ) -> None:
        del github
        options = {"repository": REPOSITORY}
        made = await make_import(owner, workspace, format="github", options=options)
        await work_off(app, database, RUN_IMPORT)
        assert (await shown(owner, made))["project_key"] == "KEEPERNOTE"

    async def test_leaves_out_what_is_broken(self, owner: Caller, bring: Begin, github: Github) -> None:
        github.issues += [make_issue(7, title=None), "no issue"]
        github.comments.append(make_comment(99, "Of what?", id=17, created_at="2020-02-01T09:00:00Z"))
        github.labels.pop()
        ended = await bring()
        assert (ended["tasks"], ended["comments"]) == (3, 3)
        assert [fault[:2] for fault in await faults_of(owner, ended)] == [
            ("#7", "INVALID_RECORD"),
            ("#0", "INVALID_RECORD"),
            ("comment 17", "TASK_NOT_THERE"),
        ]

    async def test_takes_those_that_are_asked_for(
        self, owner: Caller, workspace: dict[str, Any], bring: Begin, github: Github
    ) -> None:
        github.labels.pop()
        ended = await bring(state="open")
        assert (ended["tasks"], ended["comments"], ended["faults"]) == (1, 2, 0)
        assert [*await tasks_of(owner, workspace)] == ["OPS-2"]


class TestTwice:
    async def test_is_once(self, bring: Begin) -> None:
        await bring()
        again = await bring()
        assert (again["tasks"], again["tasks_there"]) == (0, 3)
        assert (again["comments"], again["comments_there"]) == (0, 3)

    async def test_is_once_after_the_archive(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any], bring: Begin
    ) -> None:
        """Which knows robots by other names, and comments by no ids."""
        ended = await load(
            app, database, owner, workspace, ARCHIVE, format="github_archive", project_key="OPS"
        )
        assert (ended["tasks"], ended["comments"], ended["faults"]) == (2, 3, 0)
        again = await bring()
        assert (again["tasks"], again["tasks_there"]) == (1, 2)
        assert (again["comments"], again["comments_there"]) == (0, 3)


def _archived(number: int, comments: list[dict[str, Any]]) -> dict[str, Any]:
    at = {"createdAt": "2020-01-01T08:00:00Z", "updatedAt": "2020-01-02T08:00:00Z"}
    told = [
        {"createdAt": "2020-01-01T09:00:00Z", "updatedAt": "2020-01-01T09:00:00Z"} | each for each in comments
    ]
    return {"number": number, "title": "x", "state": "OPEN", "comments": told, **at}


ARCHIVE = json.dumps(
    {
        "repo": REPOSITORY,
        "issues": [_archived(2, [{"author": "mate", "body": "Aye"}, {"author": "mate", "body": "Aye, aye"}])],
        "pulls": [_archived(3, [{"author": "tide", "body": "Tide", "createdAt": "2020-01-03T09:00:00Z"}])],
    }
).encode()


class TestFailures:
    @pytest.mark.parametrize(
        "fault",
        [
            hang_up,
            answer("500 Internal Server Error", b"no"),
            answer("200 OK", b'[{"number": '),
            b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n[",
        ],
    )
    async def test_that_pass_are_tried_again_where_they_came(
        self, app: FastAPI, database: Database, owner: Caller, begin: Begin, github: Github, fault: Any
    ) -> None:
        made = await begin()
        github.instead = [*[None] * 5, *[fault] * 3]  # behind the survey and the first page
        with pytest.raises(ServiceUnavailableError):
            await make_importer(app, database).advance(UUID(made["id"]), 60)
        seen = await shown(owner, made)
        assert (seen["status"], seen["done"], seen["tasks"]) == ("storing", 2, 2)
        github.instead, github.asked = [], []
        await work_off(app, database, RUN_IMPORT)
        ended = await shown(owner, made)
        assert (ended["status"], ended["tasks"], ended["tasks_there"]) == ("completed", 3, 0)
        assert github.pages == ["issues 1", "issues 2", "comments 1", "comments 2"]

    @pytest.mark.parametrize(
        "refusal", ["301 Moved", "401 No", "403 No", "404 No", "410 Gone", "451 No", "422 What"]
    )
    async def test_that_stay_end_it(self, bring: Begin, github: Github, refusal: str) -> None:
        async with Outside().listening() as canary:
            moved = f"Location: http://127.0.0.1:{canary.port}/"
            github.instead = [None, None, answer(refusal, b"{}", moved)]
            ended = await bring()
        assert (ended["status"], ended["error_code"]) == ("failed", "GITHUB_REFUSED")
        assert canary.connections == 0

    @pytest.mark.parametrize(
        "body", [b"{}", b"[]", b'{"full_name": "../x", "html_url": "https://github.com/"}']
    )
    async def test_so_do_answers_that_make_no_sense(self, bring: Begin, github: Github, body: bytes) -> None:
        github.instead = [answer(body=body)]
        ended = await bring()
        assert (ended["status"], ended["error_code"]) == ("failed", "GITHUB_ODD_ANSWER")

    async def test_the_next_page_is_not_looked_for_elsewhere(self, bring: Begin, github: Github) -> None:
        async with Outside().listening() as canary:
            link = f'Link: <http://127.0.0.1:{canary.port}/api/v3/x>; rel="next"'
            github.instead = [None, None, None, None, answer("200 OK", b"[]", link)]
            ended = await bring(token=TOKEN)
        assert (ended["status"], ended["error_code"]) == ("failed", "GITHUB_ODD_ANSWER")
        assert canary.connections == 0


async def test_who_follows_a_killed_one_goes_on_between_the_pages(
    app: FastAPI,
    database: Database,
    owner: Caller,
    begin: Begin,
    github: Github,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "BATCH", 1)
    github.page = 1
    made = await begin()
    turns = 0
    while await make_importer(app, database).advance(UUID(made["id"]), 0):
        turns += 1
        assert turns < 10
    ended = await shown(owner, made)
    assert ended == ended | {"status": "completed", "tasks": 3, "comments": 3, "tasks_there": 0}
    assert ended["comments_there"] == 0
    assert len([asked for asked in github.asked if "/labels" in asked.path]) == 3


class TestRateLimit:
    async def queued(self, database: Database) -> list[float]:
        """After how many seconds each job may run."""
        seconds = "extract(epoch FROM execute_after - now())"
        statement = f"SELECT {seconds} FROM jobs.pgqueuer WHERE entrypoint = 'importing.run'"
        async with database.reading() as session:
            return [float(each) for each in await session.scalars(text(statement))]

    @pytest.mark.parametrize(("answered", "done"), [(4, 0), (5, 2)], ids=["survey", "page"])
    async def test_is_waited_for_without_a_worker(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        begin: Begin,
        github: Github,
        answered: int,
        done: int,
    ) -> None:
        made = await begin()
        reset = f"X-RateLimit-Reset: {int(time()) + 1800}"
        over = answer("403 Forbidden", b"{}", "X-RateLimit-Remaining: 0", reset)
        github.instead = [*[None] * answered, over]
        await work_off(app, database, RUN_IMPORT)
        seen = await shown(owner, made)
        assert (seen["status"], seen["done"]) == ("storing", done)
        assert seen["waiting_until"] is not None
        (seconds,) = await self.queued(database)
        assert 1700 < seconds <= 1802
        asked = len(github.asked)
        with pytest.raises(PostponedError):
            await make_importer(app, database).advance(UUID(made["id"]), 60)
        assert len(github.asked) == asked
        await self.let_time_pass(database)
        await work_off(app, database, RUN_IMPORT)
        ended = await shown(owner, made)
        assert ended == ended | {"status": "completed", "tasks": 3, "tasks_there": 0, "waiting_until": None}
        assert (ended["labels"], ended["faults"]) == (3, 1)  # of the survey, which was made once

    async def test_may_come_before_anything_is_known(
        self, app: FastAPI, database: Database, owner: Caller, begin: Begin, github: Github
    ) -> None:
        made = await begin()
        github.instead = [answer("429 Too Many Requests", b"{}", "Retry-After: 120")]
        await work_off(app, database, RUN_IMPORT)
        seen = await shown(owner, made)
        assert (seen["status"], seen["waiting_until"] is None) == ("queued", False)
        (seconds,) = await self.queued(database)
        assert 60 < seconds <= 121
        await self.let_time_pass(database)
        await work_off(app, database, RUN_IMPORT)
        assert (await shown(owner, made))["status"] == "completed"

    async def let_time_pass(self, database: Database) -> None:
        async with database.system_transaction() as session:
            await session.execute(text("UPDATE imports SET waiting_until = now() - interval '1 second'"))
            await session.execute(text("UPDATE jobs.pgqueuer SET execute_after = now()"))


async def test_the_command_line_needs_no_worker(
    committing_app: FastAPI, committing_callers: Callers, github: Github
) -> None:
    owner = await committing_callers.user()
    slug = (await make_workspace(owner))["slug"]
    changes = {"github_api_url": github.url, "outgoing_allowed": ("127.0.0.0/8",)}
    settings = committing_app.state.settings.model_copy(update=changes)
    options = {"repository": REPOSITORY, "token": TOKEN}
    new = IMPORT_CREATE.validate_python({"format": "github", "options": options})
    report, faults = await import_file(settings, new, None, slug, owner.email, lambda _: None)
    assert (report.status, report.tasks, report.comments) == ("completed", 3, 3)
    assert [fault.place for fault in faults] == ["labels[2]"]


class TestToken:
    @pytest.mark.alone
    async def test_goes_to_github_alone_and_is_gone_at_the_end(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        begin: Begin,
        github: Github,
    ) -> None:
        made = await begin(token=TOKEN)
        sealed = await self.secret(database)
        assert sealed is not None
        assert unseal(app.state.keys, f"import:{made['id']}", sealed.encode()).decode() == TOKEN
        await work_off(app, database, RUN_IMPORT)
        assert {asked.headers["authorization"] for asked in github.asked} == {f"Bearer {TOKEN}"}
        assert await self.secret(database) is None
        told = (await owner.get(f"/workspaces/{workspace['id']}/changes")).text
        assert TOKEN not in json.dumps(made) + json.dumps(await shown(owner, made)) + told
        async with database.reading() as session:
            kept = (await session.execute(text("SELECT to_json(i)::text FROM imports i"))).scalar_one()
        assert TOKEN not in kept

    async def test_is_in_no_log_line_and_no_span(
        self, app: FastAPI, database: Database, begin: Begin, github: Github, log: Log
    ) -> None:
        log.configure("debug")
        signals, exporter = Signals("worker", records=True), InMemorySpanExporter()
        signals.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
        made = await begin(token=TOKEN)
        state, settings = app.state, app.state.settings
        async with open_outgoing(settings.outgoing_allowed, signals) as outgoing:
            sources = Sources(state.keys, state.storage, outgoing, settings.github_api_url)
            github.instead = [*[None] * 5, answer("500 Bug", f"{TOKEN}?".encode())]
            with pytest.raises(ServiceUnavailableError) as failure:
                await Importer(database, sources).advance(UUID(made["id"]), 60)
            logging.getLogger("glasswork.test").error("It failed.", exc_info=failure.value)
            await Importer(database, sources).advance(UUID(made["id"]), 60)
        spans = exporter.get_finished_spans()
        assert len(spans) == len(github.asked)
        assert "It failed." in log.text
        assert TOKEN not in log.text + "".join(span.to_json() for span in spans)

    async def secret(self, database: Database) -> str | None:
        async with database.reading() as session:
            found: str | None = (await session.execute(text("SELECT secret FROM imports"))).scalar_one()
        return found

    @pytest.mark.alone
    async def test_is_gone_after_a_failure_and_is_given_once_more(
        self, app: FastAPI, database: Database, owner: Caller, bring: Begin, github: Github
    ) -> None:
        github.instead = [answer("401 Unauthorized", b"{}")]
        failed = await bring(token=TOKEN)
        assert failed["status"] == "failed"
        assert await self.secret(database) is None
        github.asked = []
        await owner.post(f"/imports/{failed['id']}/start", {"token": "another"})
        await work_off(app, database, RUN_IMPORT)
        assert (await shown(owner, failed))["status"] == "completed"
        assert {asked.headers["authorization"] for asked in github.asked} == {"Bearer another"}

    async def test_is_for_github_alone(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        ended = await load(app, database, owner, workspace, b"", project_key="OPS")
        refused = await owner.post(f"/imports/{ended['id']}/start", {"token": TOKEN})
        assert refused.status_code == 422
        assert refused.json()["error"]["details"]["errors"][0]["code"] == "token_not_taken"

    async def test_ends_the_import_where_it_cannot_be_opened(
        self, app: FastAPI, database: Database, owner: Caller, begin: Begin, github: Github
    ) -> None:
        made = await begin(token=TOKEN)
        async with database.system_transaction() as session:
            await session.execute(text("UPDATE imports SET secret = 'no seal'"))
        await work_off(app, database, RUN_IMPORT)
        assert (await shown(owner, made))["error_code"] == "TOKEN_LOST"
        assert github.asked == []

    @pytest.mark.alone
    async def test_is_sealed_anew_with_a_new_secret(
        self, app: FastAPI, database: Database, begin: Begin
    ) -> None:
        made = await begin(token=TOKEN)
        present = app.state.settings.jwt_secret.get_secret_value()
        await SealService(database, Keys.derive("another secret", present)).renew()
        sealed = await self.secret(database)
        assert sealed is not None
        opened = unseal(Keys.derive("another secret"), f"import:{made['id']}", sealed.encode())
        assert opened.decode() == TOKEN
