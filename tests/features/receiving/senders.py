"""Programs that tell what happened there, and sign it as they do."""

import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from httpx2 import AsyncClient, Response
from standardwebhooks.webhooks import Webhook
from uuid_utils.compat import uuid7

REPOSITORY = {"default_branch": "main", "full_name": "acme/ops"}


def encoded(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Sender:
    """Knows a hook's address and its secret."""

    client: AsyncClient
    hook: dict[str, Any]

    async def send(self, body: bytes, headers: dict[str, str]) -> Response:
        path = f"/api/v1/hooks/{self.hook['id']}"
        return await self.client.post(
            path, content=body, headers={"Content-Type": "application/json", **headers}
        )


class Github(Sender):
    def sign(self, body: bytes, event: str = "push", delivery: str | None = None) -> dict[str, str]:
        mac = hmac.new(self.hook["secret"].encode(), body, "sha256").hexdigest()
        return {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery or str(uuid7()),
            "X-Hub-Signature-256": f"sha256={mac}",
        }

    async def tell(self, body: Any, event: str = "push") -> Response:
        return await self.send(encoded(body), self.sign(encoded(body), event))

    async def push(self, *messages: str, branch: str = "main") -> Response:
        return await self.tell(push(*messages, branch=branch))

    async def pull(self, action: str, title: str, **fields: Any) -> Response:
        return await self.tell(pull(action, title, **fields), "pull_request")


class Program(Sender):
    """Anybody who signs as Standard Webhooks says."""

    def sign(
        self, body: bytes, message_id: str | None = None, age: timedelta = timedelta()
    ) -> dict[str, str]:
        message_id = message_id or f"msg_{uuid7()}"
        moment = datetime.now(UTC) - age
        signature = Webhook(self.hook["secret"]).sign(message_id, moment, body.decode())
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": signature,
        }

    async def tell(self, body: Any) -> Response:
        return await self.send(encoded(body), self.sign(encoded(body)))


def push(*messages: str, branch: str = "main") -> dict[str, Any]:
    """Each push is another one, as its commits are."""
    commits = [
        {"id": commit, "message": message, "url": f"https://github.com/acme/ops/commit/{commit}"}
        for commit, message in ((uuid7().hex, message) for message in messages)
    ]
    return {"ref": f"refs/heads/{branch}", "commits": commits, "repository": REPOSITORY}


def pull(action: str, title: str, **fields: Any) -> dict[str, Any]:
    """`body`, `merged`, and as `head` and `base` the names of branches."""
    branches = {
        name: {"ref": fields.pop(name, default)} for name, default in (("head", "f"), ("base", "main"))
    }
    request = {
        "html_url": "https://github.com/acme/ops/pull/7",
        "title": title,
        "body": None,
        "merged": False,
    }
    return {
        "action": action,
        "pull_request": request | branches | fields,
        "repository": REPOSITORY,
        "at": uuid7().hex,
    }


def code_of(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def taken(answer: Response, **keys: list[str]) -> bool:
    """Whether it says that it has done this, and nothing else."""
    assert answer.status_code == 200, answer.text
    nothing: dict[str, Any] = {"created": [], "completed": [], "linked": []}
    expected = nothing | keys | {"result": "done" if keys else "ignored"}
    got: dict[str, Any] = answer.json()
    assert got == expected
    return True
