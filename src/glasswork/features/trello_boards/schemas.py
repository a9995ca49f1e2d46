"""What "Export as JSON" writes of a board of Trello, as far as it is read."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from glasswork.core.schemas import Input, Line, Text, Timestamp

BoardId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,64}$")]

COMMENTS = frozenset({"commentCard", "copyCommentCard"})
CREATIONS = frozenset({"createCard", "copyCard", "convertToCardFromCheckItem", "emailCard"})


class TrelloOptions(Input):
    statuses: dict[str, str] = Field(
        {},
        max_length=100,
        description="Keys of statuses, by the names of lists. A list that is not here is the status that has"
        " its name, and where there is none a label of its cards.",
        examples=[{"Doing": "in_progress"}],
    )


class _Record(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Board(_Record):
    id: BoardId
    name: Line
    desc: Text = ""
    short_link: BoardId | None = None
    cards: Literal[True]
    """That it has some, or none."""


class BoardLabel(_Record):
    name: Text | None = None
    color: Text | None = None


class BoardList(_Record):
    id: str
    name: Text
    closed: bool = False


class Member(_Record):
    id: str = ""
    username: Text | None = None
    full_name: Text | None = None

    @property
    def shown(self) -> str | None:
        return self.username or self.full_name or None


class CheckItem(_Record):
    name: Text
    state: Literal["complete", "incomplete"] = "incomplete"


class Checklist(_Record):
    id_card: str
    name: Text
    check_items: list[CheckItem] = []


class FieldOption(_Record):
    id: str
    value: dict[str, Any] = {}


class CustomField(_Record):
    id: str
    name: Text
    options: list[FieldOption] = []


class FieldItem(_Record):
    id_custom_field: str
    id_value: str | None = None
    value: dict[str, Any] | None = None


class Attachment(_Record):
    name: Text | None = None
    url: Text


class Card(_Record):
    id: str
    id_short: int | None = None
    id_list: str | None = None
    name: Text
    desc: Text | None = None
    closed: bool = False
    due: Timestamp | None = None
    due_complete: bool = False
    date_completed: Timestamp | None = None
    start: Timestamp | None = None
    date_last_activity: Timestamp | None = None
    labels: list[BoardLabel] = []
    id_members: list[str] = []
    attachments: list[Attachment] = []
    custom_field_items: list[FieldItem] = []
    url: Text | None = None
    short_url: Text | None = None


class CardNamed(_Record):
    id: str
    short_link: Text | None = None


class Action(_Record):
    id_member_creator: str | None = None
    member_creator: Member | None = None


class CreationData(_Record):
    card: CardNamed


class Creation(Action):
    """Of a card."""

    data: CreationData


class CommentData(_Record):
    text: Text
    card: CardNamed
    date_last_edited: Timestamp | None = None


class CommentAction(Action):
    id: str
    date: Timestamp
    data: CommentData


Held = BoardList | Member | CustomField | Checklist | Creation


@dataclass(slots=True)
class Directory:
    """What cards and comments refer to, by its ids."""

    lists: dict[str, BoardList] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    fields: dict[str, CustomField] = field(default_factory=dict)
    checklists: dict[str, list[Checklist]] = field(default_factory=dict)
    """Those of each card."""
    authors: dict[str, str | None] = field(default_factory=dict)
    """Who has made a card, where that is told."""

    def keep(self, found: Held) -> int:
        """Return how many things there are more."""
        match found:
            case BoardList():
                self.lists[found.id] = found
            case Member():
                self.members[found.id] = found
            case CustomField():
                self.fields[found.id] = found
                return 1 + len(found.options)
            case Checklist():
                self.checklists.setdefault(found.id_card, []).append(found)
                return 1 + len(found.check_items)
            case Creation():
                self.authors[found.data.card.id] = self.author_of(found)
        return 1

    def author_of(self, action: Action) -> str | None:
        who = action.member_creator or self.members.get(action.id_member_creator or "")
        return who.shown if who else None
