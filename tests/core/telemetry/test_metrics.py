from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.values import MultiProcessValue

from glasswork.app import create_app
from glasswork.core.db import Database
from glasswork.core.settings import Settings
from tests.conftest import make_client
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio

REQUESTS = "http_server_requests_total"
COUNT = "http_server_request_duration_seconds_count"
Labels = tuple[str, ...]


@pytest.fixture
async def client(settings: Settings, database: Database) -> AsyncIterator[AsyncClient]:
    """Of an app that has not been asked for anything yet."""
    app = create_app(settings)
    app.state.database = database
    async with make_client(app) as client:
        yield client


async def scrape(client: AsyncClient, name: str) -> dict[Labels, float]:
    """The values of a metric by its labels: method, route, and where there is one the status."""
    text = (await client.get("/metrics")).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        tuple(value for _, value in sorted(sample.labels.items(), key=order)): sample.value
        for sample in samples
        if sample.name == name
    }


def order(label: tuple[str, str]) -> int:
    return ["http_request_method", "http_route", "http_response_status_code", "le"].index(label[0])


class TestRequests:
    async def test_are_counted_and_timed_by_route(self, client: AsyncClient, callers: Callers) -> None:
        user = await callers.user()
        for _ in range(2):
            await user.get("/users/me")
            await user.get(f"/users/{user.id}")
        await client.get("/api/v1/users/me")
        assert await scrape(client, REQUESTS) == {
            ("GET", "/api/v1/users/me", "200"): 2,
            ("GET", "/api/v1/users/me", "401"): 1,
            ("GET", "/api/v1/users/{user_id}", "403"): 2,
        }
        assert await scrape(client, COUNT) == {
            ("GET", "/api/v1/users/me"): 3,
            ("GET", "/api/v1/users/{user_id}"): 2,
        }

    async def test_are_timed_in_the_buckets_of_the_convention(self, client: AsyncClient) -> None:
        await client.get("/docs")
        buckets = await scrape(client, "http_server_request_duration_seconds_bucket")
        bounds = "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 +Inf"
        assert [bound for _, _, bound in buckets] == bounds.split()

    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            ("GET", "/nowhere", ("GET", "__unmatched__", "404")),
            ("GET", "/api/v1/users/me/", ("GET", "__unmatched__", "404")),
            ("BREW", "/nowhere", ("_OTHER", "__unmatched__", "404")),
            ("get", "/api/v1/users/me", ("_OTHER", "/api/v1/users/me", "405")),
            ("PUT", "/api/v1/users/me", ("PUT", "/api/v1/users/me", "405")),
            ("GET", "/docs/assets/nothing.js", ("GET", "/docs/assets", "404")),
        ],
    )
    async def test_have_closed_sets_of_labels(
        self, client: AsyncClient, method: str, path: str, expected: Labels
    ) -> None:
        request = client.build_request("GET", path)
        request.method = method
        await client.send(request)
        assert list(await scrape(client, REQUESTS)) == [expected]

    async def test_that_nobody_foresaw_add_no_more_series(self, client: AsyncClient) -> None:
        async def ask(number: int) -> None:
            await client.request(f"BREW{number % 50}", f"/api/v1/users/{number}")
            await client.get(f"/nowhere/{number}?{number}={number}")
            await client.get(f"/docs/assets/{number}")

        async def series() -> set[str]:
            lines = (await client.get("/metrics")).text.splitlines()
            return {line.rpartition(" ")[0] for line in lines}

        await ask(0)
        before = await series()
        for number in range(1, 100):
            await ask(number)
        assert await series() == before

    async def test_of_probes_are_not_counted(self, client: AsyncClient) -> None:
        for path in ("/health", "/ready", "/metrics"):
            await client.get(path)
        assert await scrape(client, REQUESTS) == {}


class TestScrape:
    @pytest.mark.parametrize(
        ("accept", "expected"),
        [("text/plain", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")],
    )
    async def test_answers_in_the_format_that_was_asked_for(
        self, client: AsyncClient, accept: str, expected: str
    ) -> None:
        response = await client.get("/metrics", headers={"Accept": accept})
        assert response.headers["Content-Type"].startswith(expected)

    async def test_answers_for_all_workers(
        self, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        for worker in (7, 8):
            kept = MultiProcessValue(lambda worker=worker: worker)  # type: ignore[no-untyped-call]
            kept("counter", "otters", "otters_total", (), (), "Seen.").inc(worker)
        assert await scrape(client, "otters_total") == {(): 15}


class TestBudget:
    async def test_after_every_route_has_been_asked_for(self, client: AsyncClient, app: FastAPI) -> None:
        """6,000 series are what one process may have; each is scraped every few seconds, for ever."""
        for method, template in app.state.routes.operations:
            await client.request(method, template)
        series = [
            line for line in (await client.get("/metrics")).text.splitlines() if not line.startswith("#")
        ]
        assert 1000 < len(series) < 6000
