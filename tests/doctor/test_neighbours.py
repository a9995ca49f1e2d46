"""Who is there is reached, and who is not is told of in words without secrets."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from glasswork.core.settings import Settings
from glasswork.doctor import neighbours
from glasswork.doctor.findings import Finding
from tests.databases import SERVING, Server
from tests.doctor.settings import development
from tests.redis_server import RedisServer, needs_redis
from tests.smtp import Sink, listening, url

pytestmark = pytest.mark.anyio

CANARY = "canary-that-nobody-may-read"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def closed() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def look(name: str, settings: Settings) -> Finding | None:
    found = await dict(neighbours.CHECKS)[name](settings)
    assert CANARY not in str(found)
    return found


@pytest.mark.parametrize("name", ["pooler", "redis", "smtp", "otlp"])
async def test_nobody_is_asked_who_is_not_named(name: str) -> None:
    assert await look(name, development()) is None


async def test_nobody_is_there(closed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"user:{CANARY}@127.0.0.1:{closed}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{place}")
    settings = development(
        database_pooler_url=f"postgresql://{place}/x",
        redis_url=f"redis://{place}",
        smtp_url=f"smtp://{place}",
    )
    for name, severity in {
        "pooler": "error",
        "redis": "warning",
        "smtp": "warning",
        "otlp": "warning",
    }.items():
        found = await look(name, settings)
        assert found is not None
        assert (found.ok, found.severity) == (False, severity)
        assert found.evidence.startswith("Not reached: ")


async def test_who_is_silent_is_not_waited_for(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "SECONDS", 0.2)
    silent = f"user:{CANARY}@127.0.0.1:{listener.getsockname()[1]}"
    settings = development(smtp_url=f"smtp://{silent}", database_pooler_url=f"postgresql://{silent}/x")
    for name in ("smtp", "pooler"):
        found = await look(name, settings)
        assert found is not None
        assert found.evidence == "Not reached: no answer in time."


async def test_mail_server(listener: socket.socket) -> None:
    sink = Sink()
    async with listening(sink, listener):
        found = await look("smtp", development(smtp_url=url(listener, f"user:{CANARY}@")))
    assert found is not None
    assert (found.ok, found.evidence) == (True, "127.0.0.1 lets us in.")
    assert sink.logins == [(b"user", CANARY.encode())]


async def test_collector(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
    found = await look("otlp", development())
    assert found is not None
    assert found.ok


@needs_redis
async def test_redis_lets_in_who_knows_the_password(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        found = await look(
            "redis", development(redis_url=server.url, event_stream_url=f"{server.url}?stream=a")
        )
        assert found is not None
        assert found.evidence == "It answers (REDIS_URL, EVENT_STREAM_URL)."
        wrong = server.url.replace("//", f"//nobody:{CANARY}@")
        refused = await look("redis", development(redis_url=wrong))
        assert refused is not None
        assert not refused.ok


async def test_pooler_is_asked_as_a_database_is(server: Server) -> None:
    there = server.url(SERVING, server.template)
    found = await look("pooler", development(database_pooler_url=there))
    assert found is not None
    assert found.ok
    nowhere = make_url(there).set(database="nowhere", password=CANARY).render_as_string(hide_password=False)
    refused = await look("pooler", development(database_pooler_url=nowhere))
    assert refused is not None
    assert (refused.ok, refused.severity) == (False, "error")


class TestStorage:
    async def test_leaves_nothing_behind(self, data_dir: Path) -> None:
        found = await look("storage", development(data_dir))
        assert found is not None
        assert found.ok, found
        assert [path for path in (data_dir / "files").rglob("*") if path.is_file()] == []

    async def test_is_in_the_way(self, data_dir: Path) -> None:
        (data_dir / "files").write_text("no folder")
        found = await look("storage", development(data_dir))
        assert found is not None
        assert (found.ok, found.severity) == (False, "error")

    async def test_bucket_that_nobody_has(self, closed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed}")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setattr(neighbours, "SECONDS", 0.25)
        found = await look("storage", development(storage_url="s3://bucket"))
        assert found is not None
        assert not found.ok


@pytest.mark.parametrize(
    ("total", "free", "severity"),
    [(100 << 30, 900 << 20, "warning"), (100 << 30, 100 << 20, "error"), (10 << 30, 500 << 20, "warning")],
)
def test_full_disk(total: int, free: int, severity: str) -> None:
    found = neighbours.free_space(Path("/"), total, total - free, free)
    assert (found.ok, found.severity) == (False, severity)


@pytest.mark.parametrize(("total", "free"), [(100 << 30, 2 << 30), (10 << 30, 600 << 20)])
async def test_room_on_the_disk(total: int, free: int, data_dir: Path) -> None:
    assert neighbours.free_space(Path("/"), total, total - free, free).ok
    found = await look("disk", development(data_dir / "not yet there"))
    assert found is not None
    assert str(data_dir) in found.evidence
