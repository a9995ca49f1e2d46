import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from glasswork.features.intake.schemas import CommentRecord, TaskRecord
from glasswork.features.projects.schemas import LabelCreate

from .schemas import ArchivedIssue, ArchivedLabel

REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def source_of(repo: str) -> str:
    return f"github.com/{repo}"


def label_of(archived: Any) -> LabelCreate:
    """Raise pydantic's ValidationError."""
    label = ArchivedLabel.model_validate(archived)
    return LabelCreate(name=label.name, color=f"#{label.color.lower()}", description=label.description or "")


def records_of(source: str, archived: Any) -> tuple[TaskRecord, list[CommentRecord]]:
    """Raise pydantic's ValidationError."""
    issue = ArchivedIssue.model_validate(archived)
    is_done = issue.state != "OPEN"
    task = TaskRecord(
        id=str(issue.number),
        number=issue.number,
        title=issue.title,
        description=issue.body or "",
        is_done=is_done,
        labels=list(dict.fromkeys(issue.labels)),
        url=_url(source, issue),
        author=issue.author,
        assignees=issue.assignees,
        created_at=issue.created_at,
        updated_at=issue.updated_at,
        completed_at=issue.closed_at if is_done else None,
    )
    return task, list(_comments(source, issue))


def _comments(source: str, issue: ArchivedIssue) -> Iterator[CommentRecord]:
    """The archive gives them no ids: one is known by when it was written and by whom."""
    seen: Counter[str] = Counter()
    for comment in issue.comments:
        mark = mark_of(issue.number, comment.created_at, comment.author)
        seen[mark] += 1
        yield CommentRecord(
            id=id_of(mark, seen[mark]),
            task=str(issue.number),
            body=comment.body,
            url=_url(source, issue),
            author=comment.author,
            created_at=comment.created_at,
            updated_at=comment.updated_at,
        )


def mark_of(number: int, created_at: datetime, author: str | None) -> str:
    return f"{number}/{created_at:%Y-%m-%dT%H:%M:%SZ}/{author or ''}"


def id_of(mark: str, count: int) -> str:
    """Of the comment that is the `count`th with its mark, from 1 on."""
    return mark if count == 1 else f"{mark}/{count}"


def _url(source: str, issue: ArchivedIssue) -> str:
    return issue.url or f"https://{source}/issues/{issue.number}"
