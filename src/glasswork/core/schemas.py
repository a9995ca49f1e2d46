"""What the schemas of every slice are made of."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


class Input(BaseModel):
    """Unknown fields are refused, never ignored."""

    model_config = ConfigDict(extra="forbid")

    def sent(self) -> dict[str, Any]:
        """The fields that the caller sent, null included."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Output(BaseModel):
    model_config = ConfigDict(from_attributes=True)


def optional() -> Any:
    """A field of a PATCH: it may be absent, and may be null only if its type says so."""
    return Field(default=None, json_schema_extra=_hide_default)


def _hide_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


@dataclass(frozen=True, slots=True)
class Reference:
    """Tells readers of the OpenAPI document, and the tests that walk it, what an id or a key refers to."""

    kind: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"x-ref": self.kind}


class Who(StrEnum):
    """What stands for a person in a filter: the caller, or nobody."""

    ME = "me"
    NOBODY = "null"


SHOWN_ONCE = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}], "x-shown-once": True})
ShownOnce = Annotated[str | None, SHOWN_ONCE]
"""A secret that no later answer repeats, not even the same one: there it is null."""


def marked(schema: Any, mark: WithJsonSchema | Reference) -> list[str]:
    """Return the names of the fields that are references of that kind, or secrets."""
    return [name for name, field in getattr(schema, "model_fields", {}).items() if mark in field.metadata]


UserId = Annotated[UUID, Reference("user")]
SessionId = Annotated[UUID, Reference("session")]
ApiTokenId = Annotated[UUID, Reference("api_token")]
IdentityId = Annotated[UUID, Reference("identity")]
WorkspaceId = Annotated[UUID, Reference("workspace")]
AnnouncementId = Annotated[UUID, Reference("announcement")]
InvitationId = Annotated[UUID, Reference("invitation")]
ProjectId = Annotated[UUID, Reference("project")]
StatusId = Annotated[UUID, Reference("status")]
LabelId = Annotated[UUID, Reference("label")]
TaskId = Annotated[UUID, Reference("task")]
RelationId = Annotated[UUID, Reference("relation")]
LinkId = Annotated[UUID, Reference("link")]
HookId = Annotated[UUID, Reference("hook")]
CalendarFeedId = Annotated[UUID, Reference("calendar_feed")]
AttachmentId = Annotated[UUID, Reference("attachment")]
ArchiveId = Annotated[UUID, Reference("archive")]
NotificationId = Annotated[UUID, Reference("notification")]
CommentId = Annotated[UUID, Reference("comment")]
WebhookId = Annotated[UUID, Reference("webhook")]
DeliveryId = Annotated[UUID, Reference("delivery")]
ImportId = Annotated[UUID, Reference("import")]
ReportId = Annotated[UUID, Reference("report")]

# PostgreSQL's text holds every character but NUL.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]
"""A name or title: not blank, without space around it."""

Url = Annotated[
    str,
    Field(
        max_length=2000,
        pattern=r"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(:[0-9]{1,5})?([/?#][!-~]*)?$",
        description="Of http or https, in ASCII, without a user's name or password.",
        examples=["https://example.com/minutes"],
    ),
]


def _only_number(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")  # noqa: TRY004 (pydantic takes ValueError)
    return value


JsonNumber = BeforeValidator(_only_number)
"""Takes `3` and `3.0`, which are the same to JSON, but not `"3"` or `true`; stands behind a type's bounds."""

Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]

Color = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$", examples=["#0e8a16"])]


_FIRST_YEAR, _LAST_YEAR = 1900, 9000


def _only_text(value: object) -> object:
    if not isinstance(value, str | datetime):
        raise ValueError("must be a string such as 2026-03-01T12:00:00Z")  # noqa: TRY004 (pydantic takes ValueError)
    return value


def _storable(value: datetime) -> datetime:
    if _FIRST_YEAR <= value.year <= _LAST_YEAR:  # away from the ends that no zone can shift over
        moment = value.astimezone(UTC)
        if _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            return moment
    raise ValueError(f"must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")


Timestamp = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_storable)]
"""A moment with its zone; stored and shown in UTC."""


def _as_day(value: object) -> object:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a string such as 2026-03-01")
    return value


def _in_calendar(value: date) -> date:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
Day = Annotated[date, BeforeValidator(_as_day), AfterValidator(_in_calendar)]

_ZONES = available_timezones() | {"UTC"}


def _known_zone(value: str) -> str:
    if value not in _ZONES:
        raise PydanticCustomError("unknown_time_zone", "must be a zone of the IANA database")
    return value


TimeZone = Annotated[
    str,
    Field(max_length=64, description="A zone of the IANA database.", examples=["Europe/Berlin"]),
    AfterValidator(_known_zone),
]
