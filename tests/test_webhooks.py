"""A receiver that fails for too long, from its first failure to the last change that it missed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.data_dirs import used_data_dir
from tests.installations import installed
from tests.processes import make, run, sign_in, until

pytestmark = [pytest.mark.slow, pytest.mark.acceptance]

QUICK = {"WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8", "WEBHOOK_RETRY_SECONDS": "3"}


class Receiver(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = 200
        self.received: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def listening() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def find_mail(data_dir: Path) -> str | None:
    text = run("mail", data_dir=data_dir).stdout
    return text if "switched off" in text else None


def test_is_switched_off_told_switched_on_and_caught_up() -> None:
    with (
        used_data_dir() as data_dir,
        listening() as receiver,
        installed(data_dir, **QUICK) as installation,
        sign_in(installation) as api,
    ):
        workspace = make(api, "/workspaces", name="W", slug="w")
        project = make(api, f"/workspaces/{workspace['id']}/projects", name="P", key="OPS")
        webhooks = f"/workspaces/{workspace['id']}/webhooks"
        webhook = make(api, webhooks, url=receiver.url, events=["task.created"])
        path = f"/webhooks/{webhook['id']}"
        tasks = f"/projects/{project['id']}/tasks"
        taken = make(api, tasks, title="taken")
        until(lambda: receiver.received)
        receiver.answer = 500
        make(api, tasks, title="tried to its end")
        until(lambda: not api.get(path).json()["is_enabled"])
        assert api.get(path).json()["disabled_reason"] == "failing"
        tried = receiver.ids()[1:]
        assert len(set(tried)) == 1
        assert len(tried) >= 5
        make(api, tasks, title="missed")
        mail = until(partial(find_mail, data_dir))
        assert receiver.url in mail
        assert "To: ada@example.com\nSubject: A webhook was switched off" in mail

        receiver.answer, receiver.received = 200, []
        assert api.patch(path, json={"is_enabled": True}).status_code == 200
        make(api, f"{path}/redeliveries", since=taken["created_at"])
        until(lambda: len(receiver.received) == 2)
        messages = [Webhook(webhook["secret"]).verify(body, headers) for headers, body in receiver.received]
        titles = {each["data"]["after"]["title"] for each in messages}
        assert titles == {"tried to its end", "missed"}
        assert tried[0] in receiver.ids()
        until(lambda: len(api.get(f"{path}/deliveries", params={"status": "delivered"}).json()["items"]) == 3)
