"""Files, and how they are given to tasks."""

import io
from typing import Any

from httpx2 import Response
from PIL import Image

from .callers import Caller

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40


def picture(side: int = 600, kind: str = "PNG") -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (side, side // 2), "#0e8a16").save(written, kind)
    return written.getvalue()


async def put_file(
    caller: Caller, task: dict[str, Any], name: str = "report.pdf", content: Any = PDF, **headers: str
) -> Response:
    return await caller.request(
        "PUT", f"/tasks/{task['id']}/attachments", params={"name": name}, content=content, headers=headers
    )


async def make_attachment(caller: Caller, task: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await put_file(caller, task, **fields)
    assert answer.status_code == 201, answer.text
    attachment: dict[str, Any] = answer.json()
    return attachment
