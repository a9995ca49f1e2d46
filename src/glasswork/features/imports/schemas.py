from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import ImportId, Input, Output, ProjectId, UserId, WorkspaceId
from glasswork.features.csv_files.schemas import CsvOptions
from glasswork.features.github_issues.schemas import GithubOptions, GithubToken
from glasswork.features.projects.schemas import Key
from glasswork.features.todoist_exports.schemas import TodoistOptions
from glasswork.features.trello_boards.schemas import TrelloOptions

from .models import MOST_FAULTS, ImportFormat, ImportStatus, OnError


class _ImportCreate(Input):
    project_id: ProjectId | None = Field(None, description="Where the tasks go.")
    project_key: Key | None = Field(
        None, description="Or into the one with this key, which is made if there is none."
    )
    on_error: OnError = Field(
        OnError.SKIP,
        description="`skip`: what is broken is left out. `stop`: nothing is stored where anything is broken.",
    )
    dry_run: bool = Field(False, description="Tell what would become of it, and store nothing.")


class CsvImportCreate(_ImportCreate):
    """A table of tasks, whose first line names the columns. Its file follows."""

    format: Literal[ImportFormat.CSV]
    options: CsvOptions = CsvOptions()


class GithubArchiveImportCreate(_ImportCreate):
    """What `ietf-tools`' repository archiver writes of a GitHub repository. Its file follows.

    Without `project_id` and `project_key` it goes where the repository's name says.
    """

    format: Literal[ImportFormat.GITHUB_ARCHIVE]


class TodoistImportCreate(_ImportCreate):
    """The CSV that Todoist exports of a project, or the ZIP of a backup, which has one for each.

    Its file follows. All of a backup goes into one project; names of Todoist's projects become labels.
    """

    format: Literal[ImportFormat.TODOIST]
    options: TodoistOptions = TodoistOptions()


class TrelloImportCreate(_ImportCreate):
    """What "Export as JSON" writes of a board of Trello. Its file follows.

    Without `project_id` and `project_key` it goes where the board's name says.
    """

    format: Literal[ImportFormat.TRELLO]
    options: TrelloOptions = TrelloOptions()


class GithubImportCreate(_ImportCreate):
    """Issues and pull requests of a GitHub repository, with their comments. It begins at once.

    Without `project_id` and `project_key` it goes where the repository's name says. Where GitHub asks to be
    left alone for a while, the import waits.
    """

    format: Literal[ImportFormat.GITHUB]
    options: GithubOptions


ImportCreate = Annotated[
    CsvImportCreate
    | GithubArchiveImportCreate
    | TodoistImportCreate
    | TrelloImportCreate
    | GithubImportCreate,
    Field(discriminator="format"),
]
IMPORT_CREATE: TypeAdapter[ImportCreate] = TypeAdapter(ImportCreate)


class ImportStart(Input):
    on_error: OnError | None = Field(None, description="Null: as before.")
    dry_run: bool = False
    token: GithubToken | None = Field(
        None, description="For GitHub, where one is needed: the one before is not kept."
    )


class ImportRead(Output):
    id: ImportId
    workspace_id: WorkspaceId
    project_id: ProjectId | None = Field(description="Null while it is not made.")
    project_key: str | None = Field(
        description="Of the one that is made if there is none; if none is given, made of the source's name."
    )
    format: ImportFormat
    on_error: OnError
    dry_run: bool
    status: ImportStatus
    source: str | None = Field(
        description="What `external.source` of its tasks says.", examples=["github.com/quicwg/ops-drafts"]
    )
    size: int | None = Field(description="Bytes of the file.")
    total: int | None = Field(description="Records of the source, where that can be known.")
    done: int = Field(description="Of `total`, those that are behind it.")
    tasks: int = Field(description="New ones; in a dry run, those that would be.")
    tasks_there: int = Field(description="That were there from an earlier import.")
    comments: int
    comments_there: int
    labels: int
    faults: int = Field(description=f"Of them {MOST_FAULTS:,} at most are kept.")
    error_code: str | None = Field(description="Why it has failed.")
    error: str | None
    waiting_until: datetime | None = Field(
        description="The source has asked not to be called until then; the import goes on by itself."
    )
    version: int
    created_by: UserId
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class FaultRead(Output):
    number: int = Field(description="In the order in which they were found.")
    place: str = Field(examples=["row 17"])
    code: str = Field(examples=["INVALID_RECORD"])
    message: str = Field(examples=["title: Field required"])


class ImportQuery(PageQuery):
    sort: str = sort_by("created_at", default="-created_at")


class FaultQuery(PageQuery):
    sort: str = sort_by("number", default="number")
