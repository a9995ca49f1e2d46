import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from pydantic import ValidationError as SchemaError

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.features.comments.schemas import CommentImport, ExternalComment
from glasswork.features.comments.service import CommentService
from glasswork.features.projects.schemas import LabelCreate, ProjectCreate
from glasswork.features.projects.service import LabelService, ProjectService
from glasswork.features.tasks.schemas import External, TaskImport
from glasswork.features.tasks.service import TaskService

from .errors import BrokenArchiveError
from .schemas import ArchivedIssue, GithubArchive, ImportReport

BATCH = 50

_DEFAULT_COLOR = "#808080"


def read_github_archive(content: bytes) -> GithubArchive:
    """Check the whole file before anything is stored."""
    try:
        archive = GithubArchive.model_validate_json(content)
    except SchemaError as error:
        raise BrokenArchiveError(_first_fault(error)) from error
    seen: set[int] = set()
    for kind, issues in (("issues", archive.issues), ("pulls", archive.pulls)):
        for place, issue in enumerate(issues):
            if issue.number in seen:
                raise BrokenArchiveError(f"{kind}[{place}]: number {issue.number} is there twice")
            seen.add(issue.number)
    return archive


class ImportService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def import_github(
        self,
        actor: Actor,
        workspace_id: UUID,
        archive: GithubArchive,
        project_key: str | None,
        on_progress: Callable[[int], None],
    ) -> ImportReport:
        """Load what is not there yet; `on_progress` hears of each batch how many tasks it had.

        Each batch is a transaction, so that nobody waits for the whole of it. An import that was cut off is
        completed by the next one.
        """
        key = project_key or key_of(archive.repo)
        async with self._database.transaction(actor) as session:
            project_id = await _project(ProjectService(session), actor, workspace_id, key, archive.repo)
            label_ids, new_labels = await _label_ids(LabelService(session), actor, project_id, archive)
        issues = sorted((*archive.issues, *archive.pulls), key=lambda issue: issue.number)
        highest = max((issue.number for issue in issues), default=0)
        imported = comments = 0
        for start in range(0, len(issues), BATCH):
            batch = issues[start : start + BATCH]
            tasks = [_task(archive.repo, issue, label_ids) for issue in batch]
            talk = [comment for issue in batch for comment in _comments(archive.repo, issue)]
            async with self._database.transaction(actor) as session:
                imported += await TaskService(session).import_all(actor, project_id, tasks, highest)
                comments += await CommentService(session).import_all(
                    actor, project_id, _source(archive.repo), talk
                )
            on_progress(len(batch))
        return ImportReport(key, imported, len(issues) - imported, new_labels, comments)


async def _project(projects: ProjectService, actor: Actor, workspace_id: UUID, key: str, name: str) -> UUID:
    project_id = await projects.find_by_key(actor, workspace_id, key)
    if project_id is None:
        new = ProjectCreate(name=name, key=key, description=f"Imported from https://github.com/{name}")
        project_id = (await projects.create(actor, workspace_id, new)).id
    return project_id


async def _label_ids(
    labels: LabelService, actor: Actor, project_id: UUID, archive: GithubArchive
) -> tuple[dict[str, UUID], int]:
    """Return the id of each label by its name in lower case, and how many are new."""
    ids = await labels.ids_by_name(actor, project_id)
    wanted = {
        label.name.lower(): LabelCreate(
            name=label.name, color=f"#{label.color.lower()}", description=label.description or ""
        )
        for label in archive.labels
    }
    for issue in (*archive.issues, *archive.pulls):
        for name in issue.labels:  # one that was deleted since still stands on old issues
            wanted.setdefault(name.lower(), LabelCreate(name=name))
    new = {name: label for name, label in wanted.items() if name not in ids}
    for name, label in new.items():
        ids[name] = (await labels.create(actor, project_id, label)).id
    return ids, len(new)


def key_of(repo: str) -> str:
    """`quicwg/ops-drafts` becomes OPSDRAFTS."""
    letters = re.sub(r"[^A-Z0-9]", "", repo.rpartition("/")[2].upper()).lstrip("0123456789")
    return (letters if len(letters) > 1 else f"IMPORT{letters}")[:10]


def _task(repo: str, issue: ArchivedIssue, label_ids: Mapping[str, UUID]) -> TaskImport:
    is_done = issue.state != "OPEN"
    return TaskImport(
        number=issue.number,
        title=issue.title,
        description=issue.body or "",
        is_done=is_done,
        label_ids=sorted({label_ids[name.lower()] for name in issue.labels}),
        external=External(
            source=_source(repo),
            id=str(issue.number),
            url=_url(repo, issue),
            author=issue.author,
            assignees=issue.assignees,
        ),
        created_at=issue.created_at,
        updated_at=issue.updated_at,
        completed_at=(issue.closed_at or issue.updated_at) if is_done else None,
    )


def _comments(repo: str, issue: ArchivedIssue) -> Iterator[CommentImport]:
    """The archive gives them no ids: one is known by when it was written and by whom."""
    seen: Counter[str] = Counter()
    for comment in issue.comments:
        mark = f"{issue.number}/{comment.created_at:%Y-%m-%dT%H:%M:%SZ}/{comment.author or ''}"
        seen[mark] += 1
        yield CommentImport(
            task=str(issue.number),
            body=comment.body,
            external=ExternalComment(
                source=_source(repo),
                id=mark if seen[mark] == 1 else f"{mark}/{seen[mark]}",
                url=_url(repo, issue),
                author=comment.author,
            ),
            created_at=comment.created_at,
            updated_at=comment.updated_at,
            edited_at=comment.updated_at if comment.updated_at != comment.created_at else None,
        )


def _source(repo: str) -> str:
    return f"github.com/{repo}"


def _url(repo: str, issue: ArchivedIssue) -> str:
    return issue.url or f"https://{_source(repo)}/issues/{issue.number}"


def _first_fault(error: SchemaError) -> str:
    """`issues[12].title: Field required`, or the line where it is no JSON; never the content."""
    fault = error.errors(include_input=False, include_url=False)[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    return f"{place.lstrip('.') or 'The file'}: {fault['msg']}"
