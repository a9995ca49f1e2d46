import inspect

from glasswork.core.events import Created, Deleted, Event, Updated

from .program import kinds_of, listed

_HEAD = """# Events

Every change of what the API shows is one event, stored in the same commit ([how](../events.md)). The
[feed](../live.md), streams, [webhooks](../webhooks.md), [Redis](../stream.md) and the audit log tell of the
same ones.

- `created` and `restored` hold the whole resource in `after`.
- `updated` holds in `before` and `after` only the fields that changed.
- `deleted` holds the resource in `before`; `after` is null.

| Type | `before` | `after` | Fields | |
|---|---|---|---|---|
"""


def events_page() -> str:
    kinds = sorted((each for each in kinds_of(Event) if "type" in vars(each)), key=lambda kind: kind.type)
    return _HEAD + "".join(map(_row, kinds))


def _row(kind: type[Event]) -> str:
    before, after = _sides(kind)
    note = (
        inspect.cleandoc(kind.__doc__).replace("\n", " ") if "__doc__" in vars(kind) and kind.__doc__ else ""
    )
    fields = listed(kind.schema.model_json_schema(mode="serialization").get("properties", {}))
    return f"| `{kind.type}` | {before} | {after} | {fields} | {note} |\n"


def _sides(kind: type[Event]) -> tuple[str, str]:
    if issubclass(kind, Created):
        return "", "all"
    if issubclass(kind, Updated):
        return "what changed", "what changed"
    return ("all", "") if issubclass(kind, Deleted) else ("", "what it says")
