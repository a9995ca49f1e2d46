import asyncio
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import event, text

from glasswork.core.db import Database
from glasswork.core.jobs import Nothing
from glasswork.features.notifying.jobs import NOTIFY
from glasswork.features.retention.jobs import PURGE
from glasswork.features.retention.service import BATCH, PurgeService
from glasswork.features.tasks.service import TaskService
from tests.databases import Server
from tests.factories.callers import Caller, Callers
from tests.factories.files import make_attachment
from tests.factories.imports import make_import
from tests.factories.reports import make_report
from tests.factories.tracker import (
    make_announcement,
    make_calendar_feed,
    make_comment,
    make_hook,
    make_label,
    make_link,
    make_project,
    make_status,
    make_task,
    make_workspace,
    multiply_tasks,
)
from tests.factories.webhooks import make_webhook
from tests.factories.work import make_work, work_off
from tests.features.privacy.traces import tables_that_hold
from tests.statements import watching

IMPORT_IS = (
    "UPDATE imports SET status = :status, updated_at = now() - CAST(CAST(:age AS text) AS interval)"
    " WHERE id = :id"
)
FAULTS_OF = (
    "INSERT INTO import_faults (workspace_id, import_id, number, place, code, message)"
    " SELECT workspace_id, id, number, '', '', ''"
    " FROM imports, generate_series(1, 3) AS number WHERE id = :id"
)

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

RETENTION_DAYS = 30
OLD, YOUNG = "30 days 1 second", "29 days 23 hours"


async def purge(database: Database) -> None:
    await PurgeService(database, RETENTION_DAYS).purge()


async def delete(caller: Caller, database: Database, kind: str, thing: dict[str, Any], ago: str) -> None:
    assert (await caller.delete(f"/{kind}/{thing['id']}")).status_code == 204
    async with database.system_transaction() as session:
        await session.execute(
            text(f"UPDATE {kind} SET deleted_at = now() - CAST(:ago AS text)::interval WHERE id = :id"),
            {"ago": ago, "id": UUID(thing["id"])},
        )


async def ids(database: Database, table: str) -> set[str]:
    async with database.reading() as session:
        return set((await session.scalars(text(f"SELECT id::text FROM {table}"))).all())


async def events(caller: Caller, workspace: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
    return items


async def blank_ids(caller: Caller, workspace: dict[str, Any]) -> list[str]:
    return [
        item["subject"]["id"]
        for item in await events(caller, workspace)
        if not (item["before"] or item["after"])
    ]


class TestTasks:
    async def test_the_old_is_gone(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        project = await make_project(owner, await make_workspace(owner))
        label = await make_label(owner, project)
        gone = await make_task(owner, project, label_ids=[label["id"]])
        kept = await make_task(owner, project, label_ids=[label["id"]])
        await delete(owner, database, "tasks", gone, OLD)
        await purge(database)
        assert await ids(database, "tasks") == {kept["id"]}
        assert (await owner.post(f"/tasks/{gone['id']}/restore")).status_code == 404
        assert (await owner.get(f"/tasks/{kept['id']}")).json() == kept

    async def test_the_young_can_still_be_restored(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        await delete(owner, database, "tasks", task, YOUNG)
        await purge(database)
        restored = await owner.post(f"/tasks/{task['id']}/restore")
        assert restored.status_code == 200
        assert restored.json()["title"] == task["title"]

    async def test_its_events_keep_their_place_and_tell_nothing(
        self, callers: Callers, database: Database
    ) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        gone, kept = await make_task(owner, project), await make_task(owner, project)
        for task in (gone, kept):
            await owner.patch(f"/tasks/{task['id']}", {"title": "Secret"})
        await delete(owner, database, "tasks", gone, OLD)
        before = await events(owner, workspace)
        await purge(database)
        blank = {"before": None, "after": None}
        expected = [item | (blank if item["subject"]["id"] == gone["id"] else {}) for item in before]
        assert expected != before
        assert await events(owner, workspace) == expected

    async def test_neither_do_those_of_its_files_and_links(
        self, callers: Callers, database: Database
    ) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        gone, kept = await make_task(owner, project), await make_task(owner, project)
        files = [await make_attachment(owner, task) for task in (gone, kept)]
        links = [await make_link(owner, task) for task in (gone, kept)]
        await delete(owner, database, "tasks", gone, OLD)
        await purge(database)
        blank = await blank_ids(owner, workspace)
        for table, things in (("attachments", files), ("task_links", links)):
            assert [thing["id"] in blank for thing in things] == [True, False]
            assert await ids(database, table) == {things[1]["id"]}

    async def test_a_batch_is_a_transaction(self, committing_callers: Callers) -> None:
        database = committing_callers.database
        owner = await committing_callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        await delete(owner, database, "tasks", task, OLD)
        await multiply_tasks(database, BATCH)
        deleted: list[int] = []

        def note(_: Any, cursor: Any, statement: str, *__: Any) -> None:
            if "DELETE FROM tasks" in statement:
                deleted.append(cursor.rowcount)

        commits: list[int] = []
        engine = database.engine.sync_engine
        event.listen(engine, "after_cursor_execute", note)
        event.listen(engine, "commit", lambda _: commits.append(len(deleted)))
        await purge(database)
        assert deleted[:2] == [BATCH, 1]
        assert not any(deleted[2:])
        assert commits[:2] == [1, 2]
        assert await ids(database, "tasks") == set()

    async def test_all_others_are_not_read(self, committing_callers: Callers) -> None:
        database = committing_callers.database
        owner = await committing_callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        await multiply_tasks(database, 20_000)
        await delete(owner, database, "tasks", task, OLD)
        async with database.engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("ANALYZE"))
        asked: list[tuple[str, Any]] = []
        with watching(database, lambda statement, given: asked.append((statement, given))):
            await purge(database)
        locking = [each for each in asked if "FOR UPDATE OF tasks" in each[0]]
        assert len(locking) == 3
        for statement, given in locking:
            async with database.engine.connect() as connection:
                explained = await connection.exec_driver_sql(f"EXPLAIN {statement}", given)
                plan = "\n".join(explained.scalars())
            assert " on tasks" in plan
            assert "Seq Scan on tasks" not in plan

    async def test_a_task_that_is_being_restored_stays(self, committing_callers: Callers) -> None:
        database = committing_callers.database
        owner = await committing_callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        await delete(owner, database, "tasks", task, OLD)
        async with database.system_transaction() as session:
            await TaskService(session).restore(owner.actor, UUID(task["id"]))
            async with asyncio.timeout(4):
                await purge(database)
        assert (await owner.get(f"/tasks/{task['id']}")).status_code == 200


class TestComments:
    async def test_the_old_is_gone(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        task = await make_task(owner, await make_project(owner, workspace))
        gone, young, kept = [await make_comment(owner, task) for _ in range(3)]
        await delete(owner, database, "comments", gone, OLD)
        await delete(owner, database, "comments", young, YOUNG)
        await purge(database)
        assert await ids(database, "comments") == {young["id"], kept["id"]}
        restored = [await owner.post(f"/comments/{each['id']}/restore") for each in (gone, young)]
        assert [each.status_code for each in restored] == [404, 200]
        assert [each for each in await blank_ids(owner, workspace) if each != task["id"]] == [gone["id"]] * 2

    async def test_above_replies_only_its_words_are_gone(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        top = await make_comment(owner, task, body=f"A secret @{owner.username}")
        await owner.put(f"/comments/{top['id']}/reactions/eyes")
        reply = await make_comment(owner, task, reply_to_id=top["id"])
        await delete(owner, database, "comments", top, OLD)
        before = (await owner.get(f"/tasks/{task['id']}/comments")).json()
        await purge(database)
        assert (await owner.get(f"/tasks/{task['id']}/comments")).json() == before
        assert await tables_that_hold(database, "A secret") == set()
        assert await tables_that_hold(database, "eyes") == set()
        assert (await owner.post(f"/comments/{top['id']}/restore")).status_code == 404
        await delete(owner, database, "comments", reply, OLD)
        for left in ({top["id"]}, set()):
            await purge(database)
            assert await ids(database, "comments") == left

    async def test_goes_with_its_task(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        gone, kept = await make_task(owner, project), await make_task(owner, project)
        top = await make_comment(owner, gone, body="A secret")
        await make_comment(owner, gone, body="A secret", reply_to_id=top["id"])
        comment = await make_comment(owner, kept)
        await delete(owner, database, "tasks", gone, OLD)
        await purge(database)
        assert await ids(database, "comments") == {comment["id"]}
        assert await tables_that_hold(database, "A secret") == set()


class TestContainers:
    async def test_an_old_project_goes_with_its_tasks(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        gone, kept = await make_project(owner, workspace), await make_project(owner, workspace)
        await make_label(owner, gone)
        inside, outside = await make_task(owner, gone), await make_task(owner, kept)
        await delete(owner, database, "projects", gone, OLD)
        await purge(database)
        assert await ids(database, "projects") == {kept["id"]}
        assert await ids(database, "tasks") == {outside["id"]}
        assert await ids(database, "labels") == set()
        assert set(await blank_ids(owner, workspace)) == {gone["id"], inside["id"]}

    async def test_a_young_project_stays_with_its_tasks(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        project = await make_project(owner, await make_workspace(owner))
        task = await make_task(owner, project)
        await delete(owner, database, "projects", project, YOUNG)
        await purge(database)
        assert await ids(database, "projects") == {project["id"]}
        assert await ids(database, "tasks") == {task["id"]}

    async def test_an_old_workspace_goes_with_everything(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        gone, kept = await make_workspace(owner), await make_workspace(owner)
        for workspace in (gone, kept):
            project = await make_project(owner, workspace)
            await make_task(owner, project, label_ids=[(await make_label(owner, project))["id"]])
        tables = await tables_of_workspaces(database)
        assert {"tasks", "labels", "workspace_events", "event_counters", "memberships"} <= tables
        await delete(owner, database, "workspaces", gone, OLD)
        await purge(database)
        assert await ids(database, "workspaces") == {kept["id"]}
        for table in tables:
            async with database.reading() as session:
                left = (await session.scalars(text(f"SELECT DISTINCT workspace_id::text FROM {table}"))).all()
            assert gone["id"] not in left, table

    async def test_a_young_workspace_stays(self, callers: Callers, database: Database) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        task = await make_task(owner, await make_project(owner, workspace))
        await delete(owner, database, "workspaces", workspace, YOUNG)
        await purge(database)
        assert await ids(database, "workspaces") == {workspace["id"]}
        assert await ids(database, "tasks") == {task["id"]}


async def test_the_job_keeps_things_for_the_days_that_are_set(
    callers: Callers, database: Database, app: FastAPI
) -> None:
    owner = await callers.user()
    task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
    await delete(owner, database, "tasks", task, "2 days")
    for days, left in ((3, {task["id"]}), (1, set())):
        settings = app.state.settings.model_copy(update={"retention_days": days})
        await PURGE.run(make_work(app, database, settings=settings), Nothing())
        assert await ids(database, "tasks") == left


async def tables_of_workspaces(database: Database) -> set[str]:
    async with database.reading() as session:
        found = "SELECT table_name FROM information_schema.columns WHERE column_name = 'workspace_id'"
        return set((await session.scalars(text(f"{found} AND table_schema = 'public'"))).all())


async def test_notifications_are_kept_for_a_while(app: FastAPI, callers: Callers, database: Database) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    bob = await callers.member(workspace["id"])
    project = await make_project(owner, workspace)
    for days in (89, 91):
        task = await make_task(owner, project, assignee_id=str(bob.id))
        await work_off(app, database, NOTIFY)
        older = f"UPDATE notifications SET created_at = now() - interval '{days} days' WHERE task_id = :id"
        async with database.system_transaction() as session:
            await session.execute(text(older), {"id": UUID(task["id"])})
    await purge(database)
    assert len((await bob.get("/notifications")).json()["items"]) == 1


class TestTraces:
    async def test_events_of_statuses_that_went_are_blanked_in_time(
        self, committing_callers: Callers, server: Server
    ) -> None:
        database = committing_callers.database
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        gone, kept = await make_status(owner, project), await make_status(owner, project)
        assert (await owner.delete(f"/statuses/{gone['id']}")).status_code == 204
        # The role that serves may not do this.
        await server.execute(
            "UPDATE workspace_events SET at = now() - interval '31 days'",
            database=database.engine.url.database,
        )
        await purge(database)
        told = {
            item["subject"]["id"]: bool(item["before"] or item["after"])
            for item in await events(owner, workspace)
        }
        assert (told[gone["id"]], told[kept["id"]]) == (False, True)

    async def test_events_of_labels_and_invitations_are_blanked_in_time(
        self, committing_callers: Callers, server: Server
    ) -> None:
        database = committing_callers.database
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        project = await make_project(owner, workspace)
        for _ in range(2):
            await owner.delete(f"/labels/{(await make_label(owner, project))['id']}")
        # The role that serves may not do this.
        await server.execute(
            "UPDATE workspace_events SET at = now() - interval '31 days' WHERE seq <= 5",
            database=database.engine.url.database,
        )
        before = await events(owner, workspace)
        await purge(database)
        after = await events(owner, workspace)
        held = [item["before"] is not None or item["after"] is not None for item in after]
        assert [item["type"] for item in after] == [item["type"] for item in before]
        assert held == [True, True, True, False, False, True, True]

    async def test_so_are_those_of_links_hooks_and_calendar_feeds(
        self, committing_callers: Callers, server: Server
    ) -> None:
        database = committing_callers.database
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        task = await make_task(owner, await make_project(owner, workspace))
        links = [await make_link(owner, task) for _ in range(2)]
        hooks = [await make_hook(owner, workspace) for _ in range(2)]
        feeds = [await make_calendar_feed(owner, workspace) for _ in range(2)]
        await owner.delete(f"/tasks/{task['id']}/links/{links[0]['id']}")
        await owner.delete(f"/calendar-feeds/{feeds[0]['id']}")
        await delete(owner, database, "hooks", hooks[0], OLD)
        # The role that serves may not do this.
        await server.execute(
            "UPDATE workspace_events SET at = now() - interval '31 days'",
            database=database.engine.url.database,
        )
        await purge(database)
        blank = await blank_ids(owner, workspace)
        assert [thing["id"] in blank for thing in (*links, *hooks, *feeds)] == [True, False] * 3

    async def test_imports_that_have_ended_are_forgotten_with_their_faults(
        self, callers: Callers, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And those that wait in vain for a file; not what is under way."""
        monkeypatch.setattr("glasswork.features.retention.service.BATCH", 2)
        owner = await callers.user()
        workspace = await make_workspace(owner)
        made = [await make_import(owner, workspace, project_key="OPS") for _ in range(4)]
        states = zip(
            made, ("completed", "awaiting_file", "storing", "failed"), (OLD, OLD, OLD, YOUNG), strict=True
        )
        async with database.system_transaction() as session:
            for import_, status, age in states:
                values = {"id": import_["id"], "status": status, "age": age}
                await session.execute(text(IMPORT_IS), values)
                await session.execute(text(FAULTS_OF), values)
        await purge(database)
        async with database.reading() as session:
            left = (await session.scalars(text("SELECT id::text FROM imports ORDER BY id"))).all()
            faults = (await session.scalars(text("SELECT count(*) FROM import_faults"))).one()
        assert (left, faults) == ([made[2]["id"], made[3]["id"]], 6)

    async def test_messages_that_would_be_too_old_are_forgotten(
        self, callers: Callers, database: Database
    ) -> None:
        """Those that do not say how old they are go with their hook."""
        owner = await callers.user()
        workspace = await make_workspace(owner)
        hooks = [await make_hook(owner, workspace) for _ in range(2)]
        received = text(
            "INSERT INTO received_messages (workspace_id, id, hook_id, message_id, signature, received_at)"
            " SELECT workspace_id, gen_random_uuid(), id, age || coalesce(signature, ''), signature || age,"
            " now() - CAST(age AS interval)"
            " FROM hooks, unnest(ARRAY[:old, :young]) AS age, unnest(ARRAY['s', NULL]) AS signature"
        )
        async with database.system_transaction() as session:
            await session.execute(received, {"old": OLD, "young": YOUNG})
        await purge(database)
        left = text("SELECT message_id FROM received_messages ORDER BY message_id")
        async with database.reading() as session:
            assert (await session.scalars(left)).all() == sorted([YOUNG, f"{YOUNG}s", f"{OLD}s"] * 2)
        await delete(owner, database, "hooks", hooks[0], YOUNG)
        await delete(owner, database, "hooks", hooks[1], OLD)
        await purge(database)
        async with database.reading() as session:
            assert len((await session.scalars(left)).all()) == 3

    async def test_of_jobs_that_are_done_are_forgotten_in_time(
        self, callers: Callers, database: Database
    ) -> None:
        await callers.user()
        async with database.system_transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO kept_mails (job_id, recipient, subject, body, kept_at) VALUES"
                    " (1, 'a', 'b', 'c', now() - interval '31 days'), (2, 'a', 'b', 'c', now())"
                )
            )
            await session.execute(
                text(
                    "INSERT INTO done_jobs (job_id, done_at) VALUES"
                    " (1, now() - interval '31 days'), (2, now())"
                )
            )
        await purge(database)
        async with database.reading() as session:
            for table in ("kept_mails", "done_jobs"):
                assert (await session.scalars(text(f"SELECT job_id FROM {table}"))).all() == [2]

    async def test_letters_of_announcements_are_forgotten_in_time(
        self, callers: Callers, database: Database
    ) -> None:
        owner = await callers.user()
        workspace = await make_workspace(owner)
        old, young = [(await make_announcement(owner, workspace))["id"] for _ in range(2)]
        async with database.system_transaction() as session:
            for id_, days in ((old, 31), (young, 29)):
                sent = text(
                    "UPDATE announcements SET finished_at = now() - :days * interval '1 day' WHERE id = :id"
                )
                await session.execute(sent, {"days": days, "id": id_})
                letter = text("INSERT INTO announcement_letters VALUES (:id, :user_id, 'sent', 0, now())")
                await session.execute(letter, {"id": id_, "user_id": owner.id})
        await purge(database)
        async with database.reading() as session:
            left = await session.scalars(text("SELECT announcement_id::text FROM announcement_letters"))
        assert left.all() == [young]

    async def test_wrong_guesses_are_forgotten_and_known_addresses_are_kept_for_long(
        self, database: Database
    ) -> None:
        async with database.system_transaction() as session:
            await session.execute(
                text("""
                    INSERT INTO guess_counts (key, wrong, counted_at, right_at) VALUES
                        ('old', 9, now() - interval '25 hours', NULL),
                        ('young', 9, now() - interval '23 hours', NULL),
                        ('long known', 0, now() - interval '31 days', now() - interval '31 days'),
                        ('known', 0, now() - interval '29 days', now() - interval '29 days')
                """)
            )
        await purge(database)
        async with database.reading() as session:
            kept = await session.scalars(text("SELECT key FROM guess_counts"))
        assert set(kept) == {"young", "known"}

    async def test_keys_of_requests_are_forgotten_after_a_day(
        self, callers: Callers, database: Database
    ) -> None:
        owner = await callers.user()
        async with database.system_transaction() as session:
            await session.execute(
                text("""
                    INSERT INTO idempotency_keys (user_id, operation, key, fingerprint, claimed_at)
                    SELECT CAST(:user_id AS uuid), 'create_task', n::text, '', now() - interval '1 day'
                    FROM generate_series(0, :batch) AS n
                    UNION ALL SELECT :user_id, 'create_task', 'young', '', now() - interval '23 hours'
                """),
                {"user_id": owner.id, "batch": BATCH},
            )
        await purge(database)
        async with database.reading() as session:
            assert (await session.scalars(text("SELECT key FROM idempotency_keys"))).all() == ["young"]


class TestReports:
    async def test_they_are_kept_for_30_days(
        self, owner: Caller, database: Database, project: dict[str, Any]
    ) -> None:
        gone, kept = [await make_report(database, owner, project) for _ in range(2)]
        async with database.system_transaction() as session:
            dated = text(
                "UPDATE reports SET created_at = now() - CAST(:ago AS text)::interval WHERE id = :id"
            )
            for report, ago in ((gone, OLD), (kept, YOUNG)):
                await session.execute(dated, {"ago": ago, "id": UUID(report["id"])})
        await purge(database)
        assert await ids(database, "reports") == {kept["id"]}
        async with database.reading() as session:
            charts = await session.scalars(text("SELECT DISTINCT report_id::text FROM report_charts"))
        assert charts.all() == [kept["id"]]


class TestWebhooks:
    @pytest.mark.parametrize(("ago", "is_gone"), [(OLD, True), (YOUNG, False)])
    async def test_a_deleted_one_goes_with_its_log_and_its_events_are_blank(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        ago: str,
        is_gone: bool,
    ) -> None:
        monkeypatch.setattr("glasswork.features.retention.service.BATCH", 2)
        webhook = await make_webhook(owner, workspace, "https://example.com/gone")
        other = await make_webhook(owner, workspace, "https://example.com/stays")
        for _ in range(5):
            await owner.post(f"/webhooks/{webhook['id']}/pings")
        await delete(owner, database, "webhooks", webhook, ago)
        await purge(database)
        assert await ids(database, "webhooks") == ({other["id"]} if is_gone else {other["id"], webhook["id"]})
        assert len(await ids(database, "deliveries")) == (0 if is_gone else 5)
        assert (webhook["id"] in await blank_ids(owner, workspace)) == is_gone

    async def test_the_log_goes_but_for_what_is_still_tried(
        self, owner: Caller, workspace: dict[str, Any], database: Database
    ) -> None:
        webhook = await make_webhook(owner, workspace, "https://example.com/changes")
        pings = [(await owner.post(f"/webhooks/{webhook['id']}/pings")).json()["id"] for _ in range(3)]
        old, young, tried = pings
        async with database.system_transaction() as session:
            for delivery_id, status, ago in (
                *((old, "dead", OLD), (young, "delivered", YOUNG)),
                (tried, "pending", OLD),
            ):
                aged = text(
                    "UPDATE deliveries SET status = :status,"
                    " created_at = now() - CAST(:ago AS text)::interval WHERE id = :id"
                )
                await session.execute(aged, {"status": status, "ago": ago, "id": UUID(delivery_id)})
        await purge(database)
        assert await ids(database, "deliveries") == {young, tried}
