"""Files and the real program: large ones, and those on whose way it is killed."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from sqlalchemy import text

from glasswork.core.db import open_database
from glasswork.core.embedded import DATABASE, SERVING_ROLE, EmbeddedPostgres
from glasswork.core.storage import open_storage
from glasswork.features.attachments.service import SweepService
from tests.conftest import make_settings
from tests.processes import Serving, until
from tests.test_serve import new_project, sign_up

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MEGABYTE = 2**20


def files(data_dir: Path) -> list[Path]:
    return [path for path in (data_dir / "files").rglob("*") if path.is_file()]


def attachments_of_a_task(serving: Serving, headers: dict[str, str]) -> str:
    tasks = new_project(serving.client, headers)
    task = serving.client.post(tasks, json={"title": "T"}, headers=headers).json()
    return f"/api/v1/tasks/{task['id']}/attachments"


def peak_megabytes(serving: Serving) -> int:
    """The most memory that the server has had."""
    status = Path(f"/proc/{serving.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def megabytes(number: int) -> Iterator[bytes]:
    for count in range(number):
        yield count.to_bytes(4, "big") * (MEGABYTE // 4)


def test_a_gigabyte_goes_in_and_out_without_being_in_memory(data_dir: Path) -> None:
    with Serving(data_dir, ATTACHMENT_MAX_BYTES=str(2 * 1024 * MEGABYTE)) as serving:
        headers = sign_up(serving.client)
        path = attachments_of_a_task(serving, headers)
        serving.client.put(path, params={"name": "small"}, content=b"words", headers=headers)
        before = peak_megabytes(serving)
        put = serving.client.put(path, params={"name": "large"}, content=megabytes(1024), headers=headers)
        assert put.json()["size"] == 1024 * MEGABYTE
        content = f"/api/v1/attachments/{put.json()['id']}/content"
        with serving.client.stream("GET", content, headers=headers) as answer:
            received = sum(len(chunk) for chunk in answer.iter_bytes(MEGABYTE))
        assert received == 1024 * MEGABYTE
        last = serving.client.get(content, headers=headers | {"Range": "bytes=-4"})
        assert last.content == (1023).to_bytes(4, "big")
        assert peak_megabytes(serving) - before < 128


def test_a_link_leads_to_where_the_server_is(data_dir: Path) -> None:
    with Serving(data_dir) as serving:
        headers = sign_up(serving.client)
        path = attachments_of_a_task(serving, headers)
        file = serving.client.put(path, params={"name": "small"}, content=b"words", headers=headers).json()
        link = serving.client.get(f"/api/v1/attachments/{file['id']}/link", headers=headers).json()["url"]
        assert link.startswith(serving.base_url)
        assert httpx2.get(link).content == b"words"


async def test_a_kill_leaves_nothing_behind_for_long(data_dir: Path) -> None:
    with Serving(data_dir) as serving:
        headers = sign_up(serving.client)
        path = attachments_of_a_task(serving, headers)
        kept = serving.client.put(path, params={"name": "kept"}, content=b"words", headers=headers)
        assert kept.status_code == 201
        (kept_file,) = files(data_dir)

        def body() -> Iterator[bytes]:
            yield from megabytes(20)
            until(serving.process.poll)
            yield b""

        def send() -> None:
            with pytest.raises(httpx2.TransportError):
                serving.client.put(path, params={"name": "cut"}, content=body(), headers=headers)

        sender = Thread(target=send)
        sender.start()
        until(lambda: len(files(data_dir)) > 1 or None)
        serving.process.kill()
        sender.join()
    assert len(files(data_dir)) == 2
    with EmbeddedPostgres(data_dir) as server:
        settings = make_settings(server.url(SERVING_ROLE, DATABASE))
        async with open_database(settings, {}) as database:
            async with database.transaction() as session:
                older = "UPDATE stored_objects SET announced_at = announced_at - interval '25 hours'"
                await session.execute(text(older))
            await SweepService(database, open_storage(None, data_dir)).sweep()
            async with database.reading() as session:
                entries = await session.execute(text("SELECT count(*) FROM stored_objects"))
    assert entries.scalar_one() == 1
    assert files(data_dir) == [kept_file]
