from collections.abc import AsyncIterator, Callable

import pytest

from tests.core.telemetry.conftest import log
from tests.github import Github, make_comment, make_issue

__all__ = ["github", "log"]


@pytest.fixture
async def github(change_settings: Callable[..., None]) -> AsyncIterator[Github]:
    """Three issues, one of them a pull request, and three comments, two of which came within a second."""
    closed = {"state": "closed", "closed_at": "2020-02-01T00:00:00Z", "updated_at": "2020-02-03T04:05:06Z"}
    robot = {"login": "tide[bot]", "id": 3}
    github = Github(
        issues=[
            make_issue(
                2,
                body="# Lamp",
                labels=[{"name": "Lamp", "color": "fbca04"}, {"name": "driftwood"}],
                assignees=[{"login": "mate"}, {"login": "boy"}],
            ),
            make_issue(3, pull_request={"url": "x"}, labels=["rope"], **closed),
            make_issue(5, user=None, **closed),
        ],
        comments=[
            make_comment(2, "Aye"),
            make_comment(2, "Aye, aye", updated_at="2020-01-01T10:00:00Z"),
            make_comment(3, "Tide", user=robot, created_at="2020-01-03T09:00:00Z"),
        ],
        labels=[
            {"name": "Lamp", "color": "FBCA04", "description": "What shines"},
            {"name": "rope", "color": "0e8a16", "description": None},
            {"name": "broken", "color": "reddish"},
        ],
    )
    async with github.listening():
        change_settings(github_api_url=github.url, outgoing_allowed=("127.0.0.0/8",))
        yield github
