"""How many requests whoever calls may make, and what the answers say of it."""

import asyncio
import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from glasswork.app import create_app
from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.errors import EXIT_CONFIGURATION, StartError
from glasswork.core.http.callers import client_key
from glasswork.core.settings import Settings
from glasswork.core.tokens import Keys, issue_access_token
from tests.conftest import make_client
from tests.factories.callers import Caller, Callers

from .answers import ORIGIN

pytestmark = pytest.mark.anyio

ME = "/api/v1/users/me"
Make = Callable[..., FastAPI]


@pytest.fixture
def make_app(settings: Settings, database: Database) -> Make:
    def make(**changes: object) -> FastAPI:
        limits = {"rate_limit_enabled": True, "cors_origins": (ORIGIN,), **changes}
        app = create_app(settings.model_copy(update=limits))
        app.state.database = database
        return app

    return make


@pytest.fixture(scope="module")
def two_an_hour(settings: Settings) -> FastAPI:
    """Each test calls it from addresses of its own."""
    limits = {"rate_limit_enabled": True, "rate_limit_global": "2/hour", "cors_origins": (ORIGIN,)}
    return create_app(settings.model_copy(update=limits))


async def somebody(app: FastAPI, client: AsyncClient) -> Caller:
    return await Callers(client, app.state.database, app.state.keys).user()


def left(response: Response) -> dict[str, int]:
    """By the names of the quotas."""
    return {
        name: int(rest)
        for name, rest in re.findall(r'"([\w-]+)";r=(\d+);t=\d+', response.headers["RateLimit"])
    }


def policies(response: Response) -> str:
    text: str = response.headers["RateLimit-Policy"]
    return text


async def statuses(client: AsyncClient, path: str, count: int, **headers: str) -> list[int]:
    return [(await client.get(path, headers=headers)).status_code for _ in range(count)]


def refused(app: FastAPI, policy: str) -> float:
    metrics = app.state.signals.metrics.registry
    return metrics.get_sample_value("glasswork_requests_limited_total", {"policy": policy}) or 0


class TestRefusal:
    async def test_is_in_the_envelope(self, two_an_hour: FastAPI) -> None:
        async with make_client(two_an_hour, "192.0.2.1") as client:
            assert await statuses(client, "/nowhere", 2) == [404, 404]
            response = await client.get("/docs", headers={"Origin": ORIGIN})
        assert response.status_code == 429
        assert response.json()["error"]["code"] == "RATE_LIMITED"
        assert response.json()["error"]["request_id"] == response.headers["X-Request-ID"]
        assert 3590 < int(response.headers["Retry-After"]) <= 3600
        assert left(response) == {"global": 0}
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
        assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= exposed
        assert refused(two_an_hour, "global") == 1

    async def test_of_many_at_once_exactly_so_many_pass(self, make_app: Make) -> None:
        async with make_client(make_app(rate_limit_global="10/hour")) as client:
            answers = await asyncio.gather(*(client.get("/docs") for _ in range(50)))
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 40

    async def test_the_longest_wait_counts(self, make_app: Make) -> None:
        async with make_client(make_app(rate_limit_global="1/minute;1/hour")) as client:
            await client.get("/docs")
            response = await client.get("/docs")
        assert int(response.headers["Retry-After"]) > 3500

    async def test_can_be_switched_off(self, client: AsyncClient) -> None:
        answers = [await client.get("/docs") for _ in range(4)]
        assert {answer.status_code for answer in answers} == {200}
        assert "RateLimit" not in answers[0].headers


class TestHeaders:
    async def test_tell_what_holds_and_what_is_left(self, make_app: Make) -> None:
        app = make_app(rate_limit_global="5/second;9/minute", rate_limit_token="7/hour")
        async with make_client(app) as client:
            stranger = await client.get("/docs")
            caller = await (await somebody(app, client)).get("/users/me")
        assert policies(stranger) == '"global-1";q=5;w=1, "global-60";q=9;w=60'
        assert left(stranger) == {"global-1": 4, "global-60": 8}
        assert policies(caller) == '"global-1";q=5;w=1, "global-60";q=9;w=60, "token";q=7;w=3600'
        assert left(caller) == {"global-1": 4, "global-60": 8, "token": 6}
        assert re.fullmatch(r'.*, "token";r=6;t=(3600|359\d)', caller.headers["RateLimit"])

    async def test_are_on_every_answer_that_was_counted(self, make_app: Make) -> None:
        app = make_app(rate_limit_global="50/hour")
        app.add_api_route("/bug", lambda: 1 / 0)
        async with make_client(app) as client:
            answers = [
                await client.get("/docs"),
                await client.get(ME),
                await client.get("/nowhere"),
                await client.post("/docs"),
                await client.post("/api/v1/auth/token", content=b"x" * 2_000_000),
                await client.post("/api/v1/auth/refresh", json={}),
                await client.get("/docs", headers={"Host": "evil.example"}),
                await client.get("/bug"),
            ]
        assert [answer.status_code for answer in answers] == [200, 401, 404, 405, 413, 422, 400, 500]
        assert [left(answer)["global"] for answer in answers] == list(range(49, 41, -1))

    async def test_probes_and_preflights_are_not_counted(self, make_app: Make) -> None:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        async with make_client(make_app(rate_limit_global="1/hour")) as client:
            answers = [
                *[await client.get(path) for path in ("/health", "/metrics") for _ in range(2)],
                *[await client.options(ME, headers=asked) for _ in range(2)],
            ]
            assert await statuses(client, "/docs", 2) == [200, 429]
        assert {answer.status_code for answer in answers} == {200}
        assert not any("RateLimit" in answer.headers for answer in answers)

    async def test_are_declared_with_the_refusal(self, app: FastAPI) -> None:
        for path, operations in app.openapi()["paths"].items():
            for operation in operations.values():
                if path.startswith("/api/"):
                    declared = operation["responses"]["429"]["headers"]
                    assert declared.keys() == {"Retry-After", "RateLimit", "RateLimit-Policy"}


class TestStrangers:
    @pytest.mark.parametrize(
        ("one", "other", "shared"),
        [
            ("192.0.2.2", "192.0.2.2", True),
            ("192.0.2.3", "192.0.2.4", False),
            ("2001:db8::1", "2001:db8::ffff:1", True),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            ("::ffff:192.0.2.5", "::ffff:192.0.2.6", False),
        ],
    )
    async def test_are_known_by_address(
        self, two_an_hour: FastAPI, one: str, other: str, *, shared: bool
    ) -> None:
        async with make_client(two_an_hour, one) as client:
            await statuses(client, "/docs", 2)
        async with make_client(two_an_hour, other) as client:
            assert await statuses(client, "/docs", 1) == [429 if shared else 200]

    async def test_get_no_other_budget_by_tokens_that_they_make_up(self, make_app: Make) -> None:
        app = make_app(rate_limit_global="3/hour")
        stranger = Keys.derive("a secret that is the stranger's own, long enough")
        async with make_client(app) as client:
            made_up = [
                issue_access_token(stranger, Actor(uuid4(), uuid4())),
                f"gwk_{'A' * 80}",
                "otter",
                f"gwk_{'B' * 80}",
                issue_access_token(stranger, Actor(uuid4(), uuid4())),
            ]
            headers = [{"Authorization": f"Bearer {token}"} for token in made_up]
            answers = [await client.get(ME, headers=each) for each in headers]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
        assert '"token"' not in policies(answers[0])

    async def test_cannot_spend_the_budget_of_others(self, make_app: Make) -> None:
        app = make_app(rate_limit_global="3/hour")
        stranger = Keys.derive("a secret that is the stranger's own, long enough")
        async with make_client(app, "192.0.2.1") as client, make_client(app, "192.0.2.2") as elsewhere:
            caller = await somebody(app, client)
            forged = f"Bearer {issue_access_token(stranger, caller.actor)}"
            assert await statuses(elsewhere, ME, 4, Authorization=forged) == [401, 401, 401, 429]
            assert left(await caller.get("/users/me")) == {"global": 2, "token": 599}


class TestAccounts:
    async def test_have_a_budget_each_wherever_they_call_from(self, make_app: Make) -> None:
        app = make_app(rate_limit_global="2/hour")
        async with make_client(app, "192.0.2.1") as client, make_client(app, "192.0.2.2") as elsewhere:
            ada, bob = await somebody(app, client), await somebody(app, client)
            token = {"Authorization": f"Bearer {ada.token}"}
            assert await statuses(client, ME, 1, **token) == [200]
            assert await statuses(elsewhere, ME, 2, **token) == [200, 429]
            assert (await bob.get("/users/me")).status_code == 200
            assert await statuses(client, "/docs", 1) == [200]

    async def test_share_it_between_their_sessions_which_have_one_each(self, make_app: Make) -> None:
        app = make_app(rate_limit_global="3/hour", rate_limit_token="2/hour")
        async with make_client(app) as client:
            caller = await somebody(app, client)
            other = issue_access_token(app.state.keys, Actor(caller.id, uuid4()))
            one = await statuses(client, ME, 3, Authorization=f"Bearer {caller.token}")
            two = await client.get(ME, headers={"Authorization": f"Bearer {other}"})
        assert one == [200, 200, 429]
        assert two.status_code == 429
        assert left(two) == {"global": 0, "token": 1}
        assert (refused(app, "token"), refused(app, "global")) == (1, 1)

    async def test_answer_for_their_api_tokens(self, make_app: Make) -> None:
        """The first request with one is a stranger's: nobody knows yet whether it is genuine."""
        app = make_app(rate_limit_global="5/hour", rate_limit_token="3/hour")
        async with make_client(app) as client:
            caller = await somebody(app, client)
            new = {"name": "script", "scopes": ["profile:read"]}
            made = (await caller.post("/auth/api-tokens", new)).json()["token"]
            forged = made[:-8] + "AAAAAAAA"
            script = {"Authorization": f"Bearer {made}"}
            first = await client.get(ME, headers=script)
            second = await client.get(ME, headers=script)
            other = await client.get(ME, headers={"Authorization": f"Bearer {forged}"})
            third = await client.get(ME, headers=script)
        assert [each.status_code for each in (first, second, other, third)] == [200, 200, 401, 200]
        assert left(first) == {"global": 4}
        assert left(second) == {"global": 3, "token": 2}
        assert left(other) == {"global": 3}
        assert left(third) == {"global": 2, "token": 1}


class TestOperations:
    LOGIN = "/api/v1/auth/token"

    async def test_have_rates_of_their_own(self, make_app: Make) -> None:
        app = make_app()
        async with make_client(app) as client:
            answer = await client.post(self.LOGIN, data={})
            other = await client.post("/api/v1/auth/refresh", json={})
        assert policies(answer) == '"global";q=1200;w=60, "log_in";q=60;w=60'
        assert policies(other) == '"global";q=1200;w=60'

    async def test_the_operator_sets_them(self, make_app: Make) -> None:
        app = make_app(rate_limit_routes={"log_in": "2/hour", "get_me": "1/hour"})
        async with make_client(app) as client:
            logins = [(await client.post(self.LOGIN, data={})).status_code for _ in range(3)]
            assert logins == [422, 422, 429]
            assert (refused(app, "log_in"), refused(app, "global")) == (1, 0)
            assert (await client.post("/api/v1/auth/refresh", json={})).status_code == 422
            ada, bob = await somebody(app, client), await somebody(app, client)
            assert [(await who.get("/users/me")).status_code for who in (ada, ada, bob)] == [200, 429, 200]
            assert (await ada.patch("/users/me", {"name": "Ada"})).status_code == 200
        async with make_client(app, "192.0.2.9") as elsewhere:
            assert (await elsewhere.post(self.LOGIN, data={})).status_code == 422

    async def test_the_document_names_those_that_are_declared(self, app: FastAPI) -> None:
        declared = {
            operation["operationId"]: operation["x-default-rate-limit"]
            for operations in app.openapi()["paths"].values()
            for operation in operations.values()
            if "x-default-rate-limit" in operation
        }
        assert declared == {
            "create_announcement": "10/hour",
            "create_archive": "10/hour",
            "create_workspace_announcement": "10/hour",
            "log_in": "60/minute",
            "register": "30/minute",
            "register_invited": "30/minute",
            "request_password_reset": "20/minute",
            "search_tasks": "120/minute",
            "bulk_change_tasks": "60/minute",
            "export_me": "10/minute",
            "export_project": "10/minute",
            "export_workspace": "10/minute",
            "receive_message": "600/minute",
            "follow_calendar_feed": "120/minute",
        }

    @pytest.mark.parametrize("enabled", [True, False])
    async def test_that_do_not_exist_are_named_at_the_start(self, make_app: Make, *, enabled: bool) -> None:
        rates = {"log_in": "1/hour", "fly": "1/hour", "health": "1/hour"}
        with pytest.raises(StartError, match=r"RATE_LIMIT_ROUTES .*: fly, health$") as refusal:
            make_app(rate_limit_routes=rates, rate_limit_enabled=enabled)
        assert refusal.value.exit_code == EXIT_CONFIGURATION


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (None, "unknown"),
        (("testclient", 1), "testclient"),
        (("192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("::ffff:192.0.2.1", 1), "::ffff:192.0.2.1"),
    ],
)
async def test_an_address_is_that_of_a_host(client: tuple[str, int] | None, key: str) -> None:
    assert client_key({"type": "http", "client": client}) == key
