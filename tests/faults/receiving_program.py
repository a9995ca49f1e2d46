"""A receiver of webhooks that can be killed: what it has answered well is on disk."""

import asyncio
import json
import os
import sys
from pathlib import Path

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    path = head[0].split()[1]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers["content-length"]))
    secrets = json.loads((FOLDER / "secrets.json").read_text())
    try:
        message = Webhook(secrets[path]).verify(body, headers)
    except WebhookVerificationError as error:
        message, is_good = {"data": {"seq": None}}, str(error)
    else:
        is_good = ""
    line = {
        "path": path,
        "id": headers.get("webhook-id"),
        "signature": headers.get("webhook-signature"),
        "seq": message["data"]["seq"],
        "fault": is_good,
    }
    os.write(LOG, json.dumps(line).encode() + b"\n")
    os.fsync(LOG)
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[2])) as server:
        await server.serve_forever()


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    LOG = os.open(FOLDER / "received.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    asyncio.run(main())
