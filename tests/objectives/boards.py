"""The committed boards, as Grafana reads them."""

import json
from collections.abc import Iterator
from typing import Any

from objectives.files import DEPLOY

BOARDS = DEPLOY / "grafana/boards"


def boards() -> Iterator[dict[str, Any]]:
    for path in sorted(BOARDS.glob("*.json")):
        yield json.loads(path.read_text())


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        inside = panel.get("panels") or []
        yield from ([panel] if panel["type"] != "row" else [])
        yield from inside


def expressions() -> Iterator[tuple[str, str, str]]:
    """Board, panel and query."""
    for board in boards():
        for panel in panels(board):
            for target in panel["targets"]:
                yield board["title"], panel["title"], target["expr"]
