"""What the role that serves may do: change rows, and nothing else."""

from sqlalchemy import Connection, text

_APPEND_ONLY = "workspace_events, installation_events"
_LACKS = text("""
    SELECT coalesce(bool_or(
        NOT has_schema_privilege(role.oid, schema.oid, 'USAGE')
        OR NOT has_table_privilege(role.oid, relation.oid, privilege)
    ), true)
    FROM pg_roles AS role, pg_class AS relation
    JOIN pg_namespace AS schema ON schema.oid = relnamespace AND nspname IN ('public', 'jobs'),
    unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS privilege
    WHERE rolname = :role AND relkind = 'r'
    AND NOT (relname = 'alembic_version' AND privilege <> 'SELECT')
    AND NOT (relname IN ('workspace_events', 'installation_events') AND privilege IN ('UPDATE', 'DELETE'))
""")


def lacks_rights(connection: Connection, role: str | None) -> bool:
    """Tell whether `grant` has something to give; the owner has all."""
    return role is not None and bool(connection.scalar(_LACKS, {"role": role}))


def grant(connection: Connection, role: str | None) -> None:
    if role is None:
        return
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}",
        # What has happened stays so; the purge and a deleted account blank what an event holds. Events go
        # with their workspace: a cascade has the rights of the owner.
        f"REVOKE UPDATE, DELETE ON {_APPEND_ONLY} FROM {quoted}",
        f"GRANT UPDATE (before, after) ON {_APPEND_ONLY} TO {quoted}",
        f"GRANT USAGE ON SCHEMA jobs TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO {quoted}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO {quoted}",
    ):
        connection.execute(text(statement))
