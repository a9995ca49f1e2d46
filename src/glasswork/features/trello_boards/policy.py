import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from glasswork.features.intake.policy import fit, link
from glasswork.features.intake.schemas import CommentRecord, TaskRecord
from glasswork.features.projects.schemas import LabelCreate

from .schemas import BoardLabel, Card, CommentAction, Directory, FieldItem

ARCHIVED: Final = "archived"

_LABEL_LENGTH: Final = 100
_DONE: Final = re.compile(r"(done|completed?|finished|closed)\W*", re.IGNORECASE)
_BY_SECONDS: Final = re.compile(r"[0-9a-f]{24}")
_COLORS: Final = {
    "green": "#61bd4f",
    "yellow": "#f2d600",
    "orange": "#ff9f1a",
    "red": "#eb5a46",
    "purple": "#c377e0",
    "blue": "#0079bf",
    "sky": "#00c2e0",
    "lime": "#51e898",
    "pink": "#ff78cb",
    "black": "#344563",
}


def label_of(label: BoardLabel) -> LabelCreate | None:
    """None: it has neither name nor colour."""
    name = _label_name(label)
    color = _COLORS.get((label.color or "").partition("_")[0], "#808080")
    return LabelCreate(name=name, color=color) if name else None


def task_of(archived: Any, directory: Directory, statuses: Mapping[str, str]) -> TaskRecord:
    """Raise pydantic's ValidationError."""
    card = Card.model_validate(archived)
    in_list = directory.lists.get(card.id_list or "")
    section = in_list.name.strip() if in_list else ""
    is_archived = card.closed or (in_list is not None and in_list.closed)
    is_done = card.due_complete or _DONE.fullmatch(section) is not None
    labels = [name for name in map(_label_name, card.labels) if name] + [ARCHIVED] * is_archived
    members = [directory.members[each].shown for each in card.id_members if each in directory.members]
    return TaskRecord(
        id=card.id,
        number=card.id_short,
        **fit(card.name.strip(), "\n\n".join(_parts(card, directory))),
        status=statuses.get(section),
        section=section[:_LABEL_LENGTH] or None,
        is_done=is_done,
        assignees=[name for name in members if name],
        labels=list(dict.fromkeys(labels)),
        due_at=card.due,
        start_at=card.start,
        url=card.short_url or card.url or "",
        author=directory.authors.get(card.id),
        created_at=_moment_of(card.id),
        updated_at=card.date_last_activity,
        completed_at=card.date_completed if is_done else None,
    )


def comment_of(archived: Any, directory: Directory) -> CommentRecord:
    """Raise pydantic's ValidationError."""
    action = CommentAction.model_validate(archived)
    card = action.data.card
    return CommentRecord(
        id=action.id,
        task=card.id,
        body=action.data.text,
        url=f"https://trello.com/c/{card.short_link}#comment-{action.id}" if card.short_link else "",
        author=directory.author_of(action),
        created_at=action.date,
        updated_at=action.data.date_last_edited,
    )


def _parts(card: Card, directory: Directory) -> Iterator[str]:
    """Of the description: what is said, what has a place here only in words, and what lies elsewhere."""
    if card.desc and card.desc.strip():
        yield card.desc
    lines = [line for item in card.custom_field_items if (line := _field_line(item, directory))]
    if lines:
        yield "\n".join(lines)
    for checklist in directory.checklists.get(card.id, ()):
        items = [
            f"- [{'x' if each.state == 'complete' else ' '}] {each.name}" for each in checklist.check_items
        ]
        yield "\n".join([f"### {checklist.name}", "", *items])
    if card.attachments:
        yield "\n".join(f"- {link(each.name or each.url, each.url)}" for each in card.attachments)


def _field_line(item: FieldItem, directory: Directory) -> str | None:
    known = directory.fields.get(item.id_custom_field)
    if known is None:
        return None
    chosen = next((option.value for option in known.options if option.id == item.id_value), None)
    value = next(iter((item.value or chosen or {}).values()), None)
    return None if value is None else f"- {known.name}: {value}"


def _label_name(label: BoardLabel) -> str:
    return ((label.name or "").strip() or label.color or "")[:_LABEL_LENGTH]


def _moment_of(card_id: str) -> datetime | None:
    """The first half of an id are the seconds at which it was made."""
    return datetime.fromtimestamp(int(card_id[:8], 16), UTC) if _BY_SECONDS.fullmatch(card_id) else None
