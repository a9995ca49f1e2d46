import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from glasswork.core.outgoing import Answer
from glasswork.features.github_archives.policy import id_of, mark_of
from glasswork.features.intake.policy import fit
from glasswork.features.intake.schemas import CommentRecord, TaskRecord

from .errors import OddAnswerError
from .schemas import Account, Issue, IssueComment, Place, Repository

LONGEST_WAIT: Final = 6 * 3600
"""Seconds; GitHub itself asks for an hour at most."""
_WAIT: Final = 60
"""Where it does not say how long."""

_NEXT: Final = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel="?next\b')
_BOT: Final = "[bot]"


def source_of(repository: Repository) -> str:
    """The same as of its archive."""
    return f"{urlsplit(repository.html_url).netloc.lower()}/{repository.full_name}"


def seconds_to_wait(answer: Answer, now: datetime) -> int | None:
    """How long GitHub asks to be left alone; None: it does not."""
    if answer.status not in {403, 429}:
        return None
    after, reset = (answer.headers.get(name, "") for name in ("retry-after", "x-ratelimit-reset"))
    if re.fullmatch(r"\d{1,9}", after, re.ASCII):
        seconds = int(after)
    elif answer.headers.get("x-ratelimit-remaining") == "0" and re.fullmatch(r"\d{1,12}", reset, re.ASCII):
        seconds = int(reset) - int(now.timestamp()) + 1
    elif answer.status == 429 or b"rate limit" in answer.body.lower():  # noqa: PLR2004 (of HTTP)
        seconds = _WAIT
    else:
        return None
    return min(max(seconds, 1), LONGEST_WAIT)


def next_of(answer: Answer, url: str, base_url: str) -> str | None:
    """Return the next page's URL; raise OddAnswerError where it leads elsewhere: a token goes with it."""
    found = _NEXT.search(answer.headers.get("link", ""))
    if found is None:
        return None
    if found[1] == url or not is_below(found[1], base_url):
        raise OddAnswerError("the next page is not below GITHUB_API_URL")
    return found[1]


def is_below(url: str, base_url: str) -> bool:
    parts, base = urlsplit(url), urlsplit(base_url)
    path = unquote(parts.path)
    return (
        (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
        and path.startswith(f"{base.path}/")
        and ".." not in path.replace("\\", "/").split("/")
    )


def task_of(told: Any) -> TaskRecord:
    """Raise pydantic's ValidationError."""
    issue = Issue.model_validate(told)
    is_done = issue.state == "closed"
    names = [each if isinstance(each, str) else each.name for each in issue.labels]
    return TaskRecord(
        id=str(issue.number),
        number=issue.number,
        **fit(issue.title, issue.body or ""),
        is_done=is_done,
        labels=list(dict.fromkeys(names)),
        url=issue.html_url,
        author=_login(issue.user),
        assignees=[login for each in issue.assignees if (login := _login(each))],
        created_at=issue.created_at,
        updated_at=issue.updated_at,
        completed_at=issue.closed_at if is_done else None,
    )


def comment_of(told: Any, place: Place, *, may_be_alone: bool) -> CommentRecord:
    """Known as in the archive, by when it was written and by whom; counts it in `place`.

    Raise pydantic's ValidationError.
    """
    comment = IssueComment.model_validate(told)
    number = int(comment.issue_url.rpartition("/")[2])
    author = _login(comment.user)
    mark = mark_of(number, comment.created_at, author)
    if comment.created_at != place.second:
        place.second, place.marks = comment.created_at, {}
    place.marks[mark] = place.marks.get(mark, 0) + 1
    return CommentRecord(
        id=id_of(mark, place.marks[mark]),
        task=str(number),
        body=comment.body or "",
        url=comment.html_url,
        author=author,
        created_at=comment.created_at,
        updated_at=comment.updated_at,
        may_be_alone=may_be_alone,
    )


def _login(account: Account | None) -> str | None:
    """A robot's as the archive has it."""
    return account.login.removesuffix(_BOT) if account else None
