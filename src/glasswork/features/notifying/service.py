from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.jobs import EventRef
from glasswork.features.notifications.models import Kind, Mailing, Preference
from glasswork.features.notifications.policy import Way, way_of

from .policy import Happened, recipients
from .repository import NotifyingRepository

BATCH = 500


class NotifyingService:
    """Tells people of what has happened; whoever is told twice of one event is told once."""

    def __init__(self, session: AsyncSession) -> None:
        self._notifying = NotifyingRepository(session)

    async def follow(self, reference: EventRef) -> Sequence[UUID]:
        """Tell of an event; return the notifications for which a letter is to be sent at once."""
        event = await self._notifying.find_event(reference.id)
        if event is None:
            return []
        is_comment = event.type.startswith("comment.")
        comment = None
        if is_comment:
            comment = await self._notifying.find_comment(event.workspace_id, event.subject_id)
            if comment is None:
                return []
        task_id = comment.task_id if comment is not None else event.subject_id
        task = await self._notifying.find_task(event.workspace_id, task_id)
        if task is None:
            return []
        told = recipients(
            Happened(
                actor_id=event.actor_id,
                before=event.before or {},
                after=event.after or {},
                watcher_ids=task.watcher_ids,
                replied_to=comment.replied_to if comment is not None and event.before is None else None,
            )
        )
        return await self._tell(
            told,
            {
                "workspace_id": event.workspace_id,
                "event_id": event.id,
                "task_id": task.id,
                "comment_id": event.subject_id if is_comment else None,
                "actor_id": event.actor_id,
            },
            task.project_id,
        )

    async def invite(self, reference: EventRef) -> None:
        """Tell an invitation to whoever has an account with its address."""
        event = await self._notifying.find_event(reference.id)
        if event is None:
            return
        user_id = await self._notifying.find_invited(event.workspace_id, event.subject_id)
        if user_id is None:
            return
        fields = {"workspace_id": event.workspace_id, "event_id": event.id, "actor_id": event.actor_id}
        ways = await self._ways({user_id: Kind.INVITED}, None)
        await self._notifying.add([_row(user_id, Kind.INVITED, ways[user_id], fields)])

    async def remind(self) -> tuple[Sequence[UUID], bool]:
        """Tell assignees of dates that come near; return as `follow` does, and whether there is more."""
        tasks = await self._notifying.due_soon(BATCH)
        letters: list[UUID] = []
        for task in tasks:
            fields = {"workspace_id": task.workspace_id, "event_id": task.event_id, "task_id": task.id}
            told = {task.assignee_id: Kind.DUE_SOON}
            letters += await self._tell(told, fields, task.project_id)
        return letters, len(tasks) == BATCH

    async def _tell(
        self, told: Mapping[UUID, Kind], fields: Mapping[str, object], project_id: UUID
    ) -> Sequence[UUID]:
        workspace_id = fields["workspace_id"]
        assert isinstance(workspace_id, UUID)  # noqa: S101 (of every notification)
        members = await self._notifying.members(workspace_id, told.keys())
        told = {user_id: kind for user_id, kind in told.items() if user_id in members}
        if not told:
            return []
        ways = await self._ways(told, project_id)
        rows = [_row(user_id, kind, ways[user_id], fields) for user_id, kind in told.items()]
        added = await self._notifying.add(rows)
        return [row.id for row in added if row.mailing is Mailing.AT_ONCE]

    async def _ways(self, told: Mapping[UUID, Kind], project_id: UUID | None) -> dict[UUID, Way]:
        preferences = await self._notifying.preferences(told.keys(), project_id)
        said = {(each.user_id, each.kind, each.project_id): _way(each) for each in preferences}
        return {
            user_id: way_of(
                kind,
                said.get((user_id, kind, project_id)) if project_id else None,
                said.get((user_id, kind, None)),
            )
            for user_id, kind in told.items()
        }


def _way(preference: Preference) -> Way:
    return Way(preference.in_app, preference.mail)


def _row(user_id: UUID, kind: Kind, way: Way, fields: Mapping[str, object]) -> dict[str, object]:
    return {
        "user_id": user_id,
        "kind": kind,
        "is_shown": way.in_app,
        "mailing": way.mail,
        "task_id": None,
        "comment_id": None,
        "actor_id": None,
        **fields,
    }
