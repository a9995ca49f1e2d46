"""`glasswork doctor`, the real program, where all is well and where little is."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from glasswork.core.embedded import DATABASE, SERVING_ROLE, EmbeddedPostgres
from tests.data_dirs import empty_data_dir, used_data_dir
from tests.processes import Serving, Working, free_port, run, until
from tests.redis_server import RedisServer, needs_redis
from tests.smtp import Sink, listening, url

pytestmark = pytest.mark.slow

CANARY = "canary7Zq9"
STRONG = "kD3vQ9xW7mZ1pT5rB8nY2cF6hJ0gLsAeUiOqXwEz"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """A port that is taken, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def examine(data_dir: Path | None = None, **environment: str) -> tuple[int, Any]:
    ended = run("doctor", "--json", data_dir=data_dir, **environment)
    assert "Traceback" not in ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def wrong(told: Any, *severities: str) -> set[str]:
    return {each["name"] for each in told["checks"] if each["ok"] is False and each["severity"] in severities}


def states(told: Any) -> dict[str, bool | None]:
    return {each["name"]: each["ok"] for each in told["checks"]}


def test_fresh_machine_is_well() -> None:
    with empty_data_dir() as folder:
        exit_code, told = examine(folder)
        assert (exit_code, wrong(told, "error", "warning")) == (0, set())
        assert wrong(told, "note") >= {"environment", "worker"}
        assert None not in states(told).values()
        before = told["score"]["points"]
        with Serving(folder):

            def works() -> Any:
                told = examine(folder)[1]
                return told if states(told)["worker"] else None

            told = until(works, 90)
            found = {each["name"]: each["evidence"] for each in told["checks"]}
            assert found["connections"].startswith("Processes: 1, with jobs: 1.")
            assert found["shared_limits"].startswith("Serving processes: 1;")
        assert (
            told["score"]["points"] == before + told["score"]["weights"]["deployment"]["signals"][1]["weight"]
        )


@needs_redis
@pytest.mark.anyio
async def test_production_that_is_well(tmp_path: Path) -> None:
    """All but what no checkout can show; and what is taken away costs what it is worth."""
    with ExitStack() as stack:
        folder = stack.enter_context(used_data_dir())
        settings = _production(folder, stack, stack.enter_context(RedisServer(tmp_path)).url)
        post = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        settings["SMTP_URL"] = url(post)
        async with listening(Sink(), post):

            def works() -> Any:
                told = examine(folder, **settings)
                return told if states(told[1])["worker"] else None

            exit_code, told = await asyncio.to_thread(until, works, 90)
            without = {**settings, "DRAIN_SECONDS": "0"}
            poorer_code, poorer = await asyncio.to_thread(examine, folder, **without)
    assert (exit_code, wrong(told, "error", "warning", "note")) == (0, set())
    lacking = [line["name"] for lines in told["checklist"].values() for line in lines if not line["ok"]]
    assert lacking == ["ci_green"]
    assert (told["health"]["points"], told["score"]["points"]) == (16, 97)
    assert (poorer_code, wrong(poorer, "error", "warning")) == (1, {"drain_seconds"})
    assert poorer["score"]["points"] == 97 - 2


def _production(folder: Path, stack: ExitStack, redis_url: str) -> dict[str, str]:
    """Start a server and a worker, and return the settings that they have."""
    database = stack.enter_context(EmbeddedPostgres(folder))
    collector = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    settings = {
        "ENVIRONMENT": "production",
        "DATABASE_URL": database.url(SERVING_ROLE, DATABASE),
        "JWT_SECRET": STRONG,
        "PUBLIC_URL": "https://tasks.example.com",
        "TRUSTED_HOSTS": "tasks.example.com",
        "TRUSTED_PROXIES": "10.1.0.0/16",
        "REDIS_URL": redis_url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.getsockname()[1]}",
        "DRAIN_SECONDS": "1",
        "LOG_LEVEL": "info",
        "METRICS_PORT": str(free_port()),
    }
    own = {**settings, "LOG_LEVEL": "error"}
    stack.enter_context(Serving(folder, "--no-worker", **own))
    stack.enter_context(Working(folder, **{**own, "METRICS_PORT": str(free_port())}))
    return settings


def test_lines_fit_into_a_terminal() -> None:
    with empty_data_dir() as folder:
        ended = run("doctor", data_dir=folder, COLUMNS="80")
    assert ended.returncode == 0, ended.stderr
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert "row_security       It holds for glasswork." in ended.stdout
    assert "0 errors, 0 warnings" in ended.stdout


def test_server_that_forgets() -> None:
    with empty_data_dir() as folder, EmbeddedPostgres(folder, durable=False):
        exit_code, told = examine(folder)
    durable = {"fsync", "full_page_writes", "synchronous_commit"}
    assert (exit_code, wrong(told, "error")) == (2, durable)
    assert told["health"]["areas"]["database"]["points"] == 1
    assert told["score"]["weights"]["database"]["points"] == 10 - 4


def test_database_that_is_away(nowhere: str) -> None:
    with empty_data_dir() as folder:
        exit_code, told = examine(folder, DATABASE_URL=f"postgresql://u:p@{nowhere}/x", JWT_SECRET=STRONG)
    found = states(told)
    assert (exit_code, wrong(told, "error")) == (2, {"database"})
    assert {found[name] for name in ("fsync", "schema", "row_security", "worker", "invariants")} == {None}
    assert {found[name] for name in ("settings", "cors", "jwt_secret", "storage", "disk", "app")} == {True}


def test_settings_that_are_wrong() -> None:
    exit_code, told = examine(ENVIRONMENT="production", REDIS_URL=CANARY, CORS_ORIGINS="*")
    assert (exit_code, wrong(told, "error")) == (2, {"settings"})
    evidence = told["checks"][0]["evidence"]
    for words in ("DATABASE_URL: is missing", "JWT_SECRET: is missing", "REDIS_URL: must look like"):
        assert words in evidence
    assert set(states(told).values()) == {False, None}
    assert told["score"]["weights"]["types"]["points"] == 10  # of what a checkout shows
    assert CANARY not in json.dumps(told)


def test_rates_of_operations_that_do_not_exist() -> None:
    with empty_data_dir() as folder:
        exit_code, told = examine(folder, RATE_LIMIT_ROUTES='{"fly": "1/minute"}')
    assert (exit_code, wrong(told, "error")) == (2, {"app"})


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_secret_is_told(nowhere: str, form: tuple[str, ...]) -> None:
    place = f"{CANARY}:{CANARY}@{nowhere}"
    provider = {"client_id": "us", "client_secret": CANARY, "discovery_url": "http://127.0.0.1:1/.well-known"}
    provider["discovery_url"] += "/openid-configuration"
    with empty_data_dir() as folder:
        secret = folder / "secret"
        secret.write_text(f"{CANARY}{STRONG}")
        ended: CompletedProcess[str] = run(
            "doctor",
            *form,
            data_dir=folder,
            DATABASE_URL=f"postgresql://{place}/x",
            DATABASE_POOLER_URL=f"postgresql://{place}/x",
            MIGRATION_DATABASE_URL=f"postgresql://{place}/x",
            REDIS_URL=f"redis://{place}/0",
            EVENT_STREAM_URL=f"redis://{place}/0?stream=a",
            SMTP_URL=f"smtp://{place}",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{place}",
            JWT_SECRET_FILE=str(secret),
            JWT_ACCEPTED_SECRETS=CANARY * 4,
            OIDC_PROVIDERS=json.dumps({"here": provider}),
            STORAGE_URL="s3://bucket",
            AWS_ENDPOINT_URL=f"http://{nowhere}",
            AWS_ACCESS_KEY_ID=CANARY,
            AWS_SECRET_ACCESS_KEY=CANARY,
        )
    assert ended.returncode == 2
    assert "repeats itself" in " ".join(ended.stdout.split())
    assert CANARY not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
