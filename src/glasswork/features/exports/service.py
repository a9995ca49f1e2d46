from collections.abc import AsyncIterator
from uuid import UUID

from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.outbox import Outbox
from glasswork.features.projects.access import access_to
from glasswork.features.workspaces.service import WorkspaceService

from .events import ExportCreated
from .repository import ExportRepository, Place
from .schemas import (
    HEADER,
    MEDIA_TYPES,
    CommentRecord,
    EndRecord,
    Export,
    ExportFormat,
    ExportQuery,
    ExportStored,
    TaskLine,
    TaskRecord,
    cells,
    csv_lines,
    json_lines,
)


class ExportService:
    """All tasks of a place, as a file that is never in memory as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_project(self, actor: Actor, project_id: UUID, query: ExportQuery) -> Export:
        """Refuse now, or return the file; that it was taken is written down."""
        async with self._database.transaction(actor) as session:
            project = await access_to(session, actor, project_id)
            place = Place(project.workspace_id, project_id)
            Outbox(session).record(actor, _taken(place, query.format))
        return self._file(actor, place, project.key, query)

    async def open_workspace(self, actor: Actor, workspace_id: UUID, query: ExportQuery) -> Export:
        async with self._database.transaction(actor) as session:
            workspace = await WorkspaceService(session).get(actor, workspace_id)
            place = Place(workspace_id, None)
            Outbox(session).record(actor, _taken(place, query.format))
        return self._file(actor, place, workspace.slug, query)

    def _file(self, actor: Actor, place: Place, name: str, query: ExportQuery) -> Export:
        data = ExportRepository(self._database, actor, place)
        parts = _write_csv(data, query) if query.format is ExportFormat.CSV else _write_jsonl(data, query)
        return Export(f"{name}.{query.format}", MEDIA_TYPES[query.format], parts)


def _taken(place: Place, format_: ExportFormat) -> ExportCreated:
    return ExportCreated.of(
        ExportStored(id=uuid7(), workspace_id=place.workspace_id, project_id=place.project_id, format=format_)
    )


async def _write_csv(data: ExportRepository, query: ExportQuery) -> AsyncIterator[bytes]:
    yield csv_lines([HEADER])
    async for rows in data.tasks(query.archived):
        yield csv_lines(cells(TaskLine.model_validate(row)) for row in rows)
    await data.ensure_visible()


async def _write_jsonl(data: ExportRepository, query: ExportQuery) -> AsyncIterator[bytes]:
    end = EndRecord(tasks=0, comments=0)
    async for rows in data.tasks(query.archived):
        yield json_lines(TaskRecord.model_validate(row) for row in rows)
        end.tasks += len(rows)
        async for comments in data.comments(rows):
            yield json_lines(CommentRecord.model_validate(comment) for comment in comments)
            end.comments += len(comments)
    await data.ensure_visible()
    yield json_lines([end])
