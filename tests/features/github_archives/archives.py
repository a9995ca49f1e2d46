"""A small archive in the shape that the repository archiver writes."""

import json
from typing import Any

REPO = "lighthouse/keeper-notes"

MARKDOWN = "# Lamp\r\n\r\n* [ ] trim the *wick*\n\ttab, `code` & <b>no HTML</b> 🕯\n\n"


def make_issue(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "number": number,
        "id": f"I_{number}",
        "title": f"Note {number}",
        "url": f"https://github.com/{REPO}/issues/{number}",
        "state": "OPEN",
        "author": "keeper",
        "authorAssociation": "MEMBER",
        "assignees": [],
        "labels": [],
        "body": "",
        "createdAt": "2020-01-01T08:00:00Z",
        "updatedAt": "2020-01-02T08:00:00Z",
        "closedAt": None,
        "comments": [],
    } | fields


def make_comment(body: str, **fields: Any) -> dict[str, Any]:
    return {
        "author": "mate",
        "authorAssociation": "NONE",
        "body": body,
        "createdAt": "2020-01-01T09:00:00Z",
        "updatedAt": "2020-01-01T09:00:00Z",
    } | fields


def make_archive(**fields: Any) -> dict[str, Any]:
    """Two issues and a pull request, with two labels and one that has been deleted since."""
    closed = {"updatedAt": "2020-02-03T04:05:06Z", "closedAt": "2020-02-01T00:00:00Z"}
    return {
        "magic": "E!vIA5L86J2I",
        "timestamp": "2021-01-01T00:00:00.000000+00:00",
        "repo": REPO,
        "labels": [
            {"name": "Lamp", "description": "What shines", "color": "FBCA04"},
            {"name": "rope", "description": None, "color": "0e8a16"},
        ],
        "issues": [
            make_issue(
                2,
                title="  Trim the wick ",
                body=MARKDOWN,
                labels=["lamp", "driftwood"],
                assignees=["mate", "boy"],
            ),
            make_issue(5, state="CLOSED", body=None, author=None, url=None, **closed),
        ],
        "pulls": [make_issue(3, state="MERGED", labels=["rope"], **closed)],
    } | fields


def encode(archive: dict[str, Any]) -> bytes:
    return json.dumps(archive).encode()
