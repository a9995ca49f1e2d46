"""The keys of a workspace's tables carry it: what is another's can neither be named nor guessed at."""

from collections.abc import Iterator

from sqlalchemy import Column, Table, UniqueConstraint, Uuid
from sqlalchemy.schema import ForeignKeyConstraint

from glasswork.models import Base

TENANTS = {name: table for name, table in Base.metadata.tables.items() if "workspace_id" in table.c}

OF_USERS = {"api_tokens", "idempotency_keys", "notifications", "notification_preferences", "calendar_feeds"}
"""They belong to a user; the workspace only narrows what they open, or who sees what they answer."""
OF_ALL = {"announcements"}
"""They may be the installation's, and have no workspace then."""
NAMED_BY_CHANCE = {
    "id": "made of time and chance by the app, never by the caller",
    "token_hash": "of a secret",
    **dict.fromkeys(("object_id", "thumbnail_id"), "of bytes in the store, named as an id is"),
}
"""Columns that are unique over all workspaces: a stranger cannot bring about that a value is taken."""
WITHOUT_A_KEY = {
    ("idempotency_keys", "workspace_id"): "an answer is kept a day, whatever becomes of its workspace",
    ("workspace_events", "subject_id"): "what is gone keeps its events",
    ("workspace_events", "actor_id"): "may be no member: an operator, or who is about to join",
    ("workspace_events", "session_id"): "sessions go, events stay",
    ("workspace_events", "api_token_id"): "likewise",
    ("notifications", "event_id"): "what is told stays when the log is blanked",
    ("notifications", "comment_id"): "a comment that is gone is shown by none, and may come back",
    ("notifications", "actor_id"): "as of events",
    ("deliveries", "event_id"): "what was sent is told of until it is purged",
    ("webhook_progress", "lease_id"): "made up by whoever delivers",
}

DISTRIBUTED = TENANTS.keys() - OF_USERS - OF_ALL
"""What a distributed PostgreSQL such as Citus would put where the workspace is (docs/scale.md)."""
BY_ID = "an id is looked up before its workspace is known; it is made of time and chance, and unique without"
NOT_UNIQUE_THERE = {
    **{
        f"ix_{table}_id": BY_ID
        for table in (
            *("archives", "attachments", "comments", "deliveries", "hooks", "imports", "invitations"),
            *("labels", "projects", "received_messages", "relations", "reports", "statuses", "task_links"),
            *("tasks", "webhooks", "workspace_events"),
        )
    },
    **{
        f"uq_{name}": "names a file in the store, as an id is made"
        for name in (
            "archives_object_id",
            "attachments_object_id",
            "attachments_thumbnail_id",
            "imports_object_id",
        )
    },
    "uq_invitations_token_hash": "of a secret of 256 bits; who accepts does not know the workspace",
}
"""Unique indexes without the workspace, which can be no more than indexes there: chance alone keeps them."""
ON_EVERY_NODE = {"users", "workspaces", "stored_objects"}
"""Other tables that distributed ones refer to, which must be whole on every node."""
POINT_INTO_WORKSPACES = {
    ("calendar_feeds", "projects"),
    ("notification_preferences", "projects"),
    ("notifications", "tasks"),
}
"""References of tables that are not distributed to some that are, which cannot be kept there."""


def references(table: Table) -> Iterator[tuple[ForeignKeyConstraint, Table]]:
    for key in table.foreign_key_constraints:
        yield key, key.referred_table


def uniques(table: Table) -> Iterator[tuple[str, set[str]]]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield str(constraint.name), {column.name for column in constraint.columns}
    for index in table.indexes:
        if index.unique:
            yield str(index.name), {column.name for column in index.columns}


def ids(table: Table) -> Iterator[Column[object]]:
    """Those that refer to something."""
    named = {column for key in table.foreign_key_constraints for column in key.columns}
    for column in table.columns:
        if isinstance(column.type, Uuid) and column.name != "id" and column not in named:
            yield column


def test_primary_keys_begin_with_the_workspace() -> None:
    keys = {name: [column.name for column in table.primary_key] for name, table in TENANTS.items()}
    assert {name for name, key in keys.items() if key[0] != "workspace_id"} == OF_USERS | OF_ALL


def test_references_within_a_workspace_carry_it() -> None:
    bare = {
        f"{name}.{'+'.join(key.column_keys)}"
        for name, table in TENANTS.items()
        for key, referred in references(table)
        if referred.name in TENANTS
        and ("workspace_id", f"{referred.name}.workspace_id")
        not in [(element.parent.name, element.target_fullname) for element in key.elements]
    }
    assert bare == set()
    assert (
        sum(referred.name in TENANTS for table in TENANTS.values() for _, referred in references(table)) > 10
    )


def test_users_are_referred_to_as_members() -> None:
    direct = {
        name
        for name, table in TENANTS.items()
        for _, referred in references(table)
        if referred.name == "users"
    }
    assert direct == {"memberships"} | OF_USERS | OF_ALL


def test_every_id_is_a_reference() -> None:
    bare = {(name, column.name) for name, table in TENANTS.items() for column in ids(table)}
    assert bare == WITHOUT_A_KEY.keys()


def test_what_is_unique_is_so_within_a_workspace() -> None:
    everywhere = {
        key: columns
        for table in TENANTS.values()
        for key, columns in uniques(table)
        if columns.isdisjoint({"workspace_id", "user_id"})
    }
    assert {key for key, columns in everywhere.items() if not columns <= NAMED_BY_CHANCE.keys()} == set()
    assert everywhere


def test_distributed_tables_have_the_workspace_in_all_their_keys() -> None:
    tables = [Base.metadata.tables[name] for name in DISTRIBUTED]
    assert {table.name for table in tables if "workspace_id" not in table.primary_key.columns} == set()
    bare = {key for table in tables for key, columns in uniques(table) if "workspace_id" not in columns}
    assert bare == NOT_UNIQUE_THERE.keys()


def test_distributed_tables_refer_to_each_other_by_the_workspace() -> None:
    out, bare = set(), set()
    for name in DISTRIBUTED:
        for key, referred in references(Base.metadata.tables[name]):
            if referred.name not in DISTRIBUTED:
                out.add(referred.name)
            elif "workspace_id" not in key.column_keys:
                bare.add((name, *key.column_keys))
    assert (out, bare) == (ON_EVERY_NODE, set())


def test_few_references_lead_from_elsewhere_into_distributed_tables() -> None:
    found = {
        (name, referred.name)
        for name, table in Base.metadata.tables.items()
        for _, referred in references(table)
        if name not in DISTRIBUTED and referred.name in DISTRIBUTED
    }
    assert found == POINT_INTO_WORKSPACES
