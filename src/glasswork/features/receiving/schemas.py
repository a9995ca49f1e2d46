"""What comes in, and what of it is for us."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, Field

from glasswork.core.schemas import Output, Text, Url
from glasswork.features.links.models import LinkKind
from glasswork.features.links.schemas import MOST_TITLE

_KEY: Final = r"(?<!\w)[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}(?!\w)"
_KEYS = re.compile(_KEY)
_CLOSING = re.compile(
    rf"(?i:\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?))(?:\s*:\s*|\s+){_KEY}(?:(?:\s*,\s*|\s+and\s+){_KEY})*"
)


def keys_in(text: str) -> set[str]:
    """The words that look like a task's key."""
    return set(_KEYS.findall(text))


def closed_in(text: str) -> set[str]:
    """Those that the text says are done: `fixes OPS-42, OPS-43`."""
    return {key for match in _CLOSING.finditer(text) for key in keys_in(match[0])}


class GithubHeader(StrEnum):
    SIGNATURE = "x-hub-signature-256"
    EVENT = "x-github-event"
    DELIVERY = "x-github-delivery"


@dataclass(frozen=True, slots=True)
class Message:
    """As it came over the wire."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """What a message is known by when it comes again."""

    message_id: str
    signature: str | None


@dataclass(frozen=True, slots=True)
class Mention:
    """A commit or a pull request that names tasks."""

    kind: LinkKind
    url: str
    title: str | None
    keys: set[str]
    closed: set[str]


class _Repository(BaseModel):
    default_branch: str


class _Commit(BaseModel):
    message: Text
    url: Url


class Push(BaseModel):
    ref: str
    repository: _Repository
    commits: list[_Commit]

    def mentions(self) -> Iterator[Mention]:
        """What is pushed elsewhere than to the default branch is not done yet."""
        is_final = self.ref == f"refs/heads/{self.repository.default_branch}"
        for commit in self.commits:
            closed = closed_in(commit.message) if is_final else set()
            title = _title(commit.message)
            yield Mention(LinkKind.COMMIT, commit.url, title, keys_in(commit.message), closed)


class _Branch(BaseModel):
    ref: str


class _PullRequest(BaseModel):
    html_url: Url
    title: Text
    body: Text | None
    merged: bool = False
    head: _Branch
    base: _Branch


class PullRequestChange(BaseModel):
    action: str
    pull_request: _PullRequest
    repository: _Repository

    def mentions(self) -> Iterator[Mention]:
        """What is merged into the default branch is done; what is closed without that is not told."""
        pull = self.pull_request
        text = f"{pull.title}\n{pull.body or ''}"
        is_final = self.action == "closed" and pull.merged and pull.base.ref == self.repository.default_branch
        if is_final or self.action in {"opened", "edited", "reopened", "synchronize"}:
            keys = keys_in(text) | keys_in(pull.head.ref.upper())
            closed = closed_in(text) if is_final else set()
            yield Mention(LinkKind.PULL_REQUEST, pull.html_url, _title(pull.title), keys, closed)


PAYLOADS: Final[Mapping[str, type[Push | PullRequestChange]]] = {
    "push": Push,
    "pull_request": PullRequestChange,
}
"""By the event's name; others are not for us."""


class Result(StrEnum):
    DONE = "done"
    IGNORED = "ignored"


class MessageTaken(Output):
    """The keys of the tasks that a message was about."""

    result: Result = Field(description="`ignored`: there was nothing in it for us.")
    created: list[str] = Field([], examples=[["OPS-42"]])
    completed: list[str] = Field([], description="Also those that were done before.")
    linked: list[str] = Field([], description="To the commit or pull request; also those that were before.")


def _title(text: str) -> str | None:
    return text.strip().partition("\n")[0].strip()[:MOST_TITLE].strip() or None
