import pytest
from pydantic import BaseModel
from sqlalchemy import text

from glasswork.core.jobs import Job, Nothing, Work
from glasswork.core.outbox import Outbox
from glasswork.features.accounts.models import SystemRole
from tests.factories.callers import Caller, Callers

pytestmark = pytest.mark.anyio


async def never(_: Work, __: BaseModel) -> None:
    """Nobody carries it out here."""


JOB = Job("test.never", Nothing, never)


async def order(callers: Callers) -> int:
    async with callers.database.transaction() as session:
        Outbox(session).order(JOB, Nothing())
    statement = text("SELECT max(id) FROM jobs.pgqueuer WHERE entrypoint = 'test.never'")
    async with callers.database.reading() as session:
        job_id: int = (await session.execute(statement)).scalar_one()
    return job_id


async def kill(callers: Callers, job_id: int) -> None:
    """As the runner leaves a job that failed for the last time."""
    error = '{"exception_type": "ValueError", "exception_message": "no good"}'
    async with callers.database.transaction() as session:
        await session.execute(
            text("UPDATE jobs.pgqueuer SET status = 'failed', attempts = 9 WHERE id = :id"), {"id": job_id}
        )
        await session.execute(
            text(
                "INSERT INTO jobs.pgqueuer_log (job_id, status, priority, entrypoint, traceback)"
                " VALUES (:id, 'failed', 0, 'test.never', CAST(:error AS jsonb))"
            ),
            {"id": job_id, "error": error},
        )


@pytest.fixture
async def admin(callers: Callers) -> Caller:
    return await callers.user(SystemRole.ADMIN)


class TestRights:
    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/1"), ("POST", "/1/retry")])
    async def test_jobs_are_for_admins_of_the_installation(
        self, callers: Callers, method: str, path: str
    ) -> None:
        user = await callers.user()
        response = await user.request(method, f"/jobs{path}")
        assert response.status_code == 403

    async def test_a_session_that_has_ended_is_told_so(self, admin: Caller) -> None:
        await admin.post("/auth/logout")
        response = await admin.get("/jobs")
        assert response.json()["error"]["code"] == "SESSION_ENDED"


class TestList:
    @pytest.mark.alone
    async def test_shows_what_waits_and_what_is_dead(self, callers: Callers, admin: Caller) -> None:
        waiting, dead = await order(callers), await order(callers)
        await kill(callers, dead)
        items = (await admin.get("/jobs", name=JOB.name, sort="-created_at")).json()["items"]
        assert {item["id"]: item["state"] for item in items} == {waiting: "waiting", dead: "dead"}
        only_dead = (await admin.get("/jobs", state="dead")).json()["items"]
        assert [(item["id"], item["error"], item["attempts"]) for item in only_dead] == [
            (dead, "ValueError: no good", 9)
        ]

    async def test_pages_by_cursor(self, callers: Callers, admin: Caller) -> None:
        ids = [await order(callers) for _ in range(3)]
        first = (await admin.get("/jobs", name=JOB.name, limit=2, sort="created_at")).json()
        query = {"name": JOB.name, "limit": 2, "sort": "created_at", "cursor": first["next_cursor"]}
        second = (await admin.get("/jobs", **query)).json()
        assert [item["id"] for item in first["items"] + second["items"]] == ids


class TestRetry:
    async def test_there_is_no_such_job(self, admin: Caller) -> None:
        for response in (await admin.get("/jobs/987654321"), await admin.post("/jobs/987654321/retry")):
            assert response.status_code == 404
            assert response.json()["error"]["code"] == "JOB_NOT_FOUND"

    async def test_a_job_that_waits_is_not_put_back(self, callers: Callers, admin: Caller) -> None:
        response = await admin.post(f"/jobs/{await order(callers)}/retry")
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "JOB_NOT_DEAD"

    async def test_a_dead_job_waits_again(self, callers: Callers, admin: Caller) -> None:
        dead = await order(callers)
        await kill(callers, dead)
        answer = await admin.post(f"/jobs/{dead}/retry")
        assert answer.status_code == 200
        assert (answer.json()["state"], answer.json()["attempts"]) == ("waiting", 0)
        assert (await admin.get(f"/jobs/{dead}")).json() == answer.json()
