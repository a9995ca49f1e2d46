"""What a fresh machine lacks: a database, its schema, and a secret. Made once, and kept."""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

import asyncpg
import stamina
from pydantic import ValidationError
from sqlalchemy import make_url
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from glasswork.core import revisions
from glasswork.core.database_urls import place_of
from glasswork.core.errors import EXIT_CONFIGURATION, EXIT_UNAVAILABLE, StartError, reason_of
from glasswork.core.settings import Environment, LocalSettings, Settings

_RETRIED = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)


@contextmanager
def installation(data_dir: Path | None = None, *, as_it_is: bool = False) -> Iterator[Settings]:
    """Yield settings with a database that answers; what was started for it is stopped at the end.

    Without DATABASE_URL that is an embedded PostgreSQL with the newest schema, or `as_it_is`, even empty. In
    production nothing is made up: what is missing is named, all at once. What is made up goes into the
    environment, where the worker processes of the server find it.
    """
    with settled(data_dir) as (settings, is_embedded):
        asyncio.run(_wait_for_database(settings))
        if is_embedded and not as_it_is and asyncio.run(_schema_state(settings)) != "ok":
            asyncio.run(migrate(settings))
        yield settings


@contextmanager
def settled(data_dir: Path | None) -> Iterator[tuple[Settings, bool]]:
    """Yield settings, and whether the database is embedded; whether another one answers nobody has asked."""
    with ExitStack() as stack:
        try:
            if data_dir:
                os.environ["DATA_DIR"] = str(data_dir)
            local = LocalSettings()
            is_embedded = local.database_url is None and local.environment is not Environment.PRODUCTION
            if is_embedded:
                _start_embedded(local.data_dir, stack)
            if local.jwt_secret is None and local.environment is not Environment.PRODUCTION:
                os.environ["JWT_SECRET"] = _kept_secret(local.data_dir)
            settings = Settings()
        except ValidationError as error:
            raise StartError(_explain(error), EXIT_CONFIGURATION) from error
        yield settings, is_embedded


async def migrate(settings: Settings) -> str | None:
    """Return the schema's revision."""
    # Not at the top: a server whose schema is there needs none of it, and it is a tenth of its start.
    from glasswork.core import migrations  # noqa: PLC0415

    return await migrations.upgrade(
        settings.owner_database_url.get_secret_value(), settings.database_url.get_secret_value()
    )


async def refuse_other_schema(settings: Settings) -> None:
    state = await _schema_state(settings)
    if state != "ok":
        message = f"The database's schema is {state}. Run: glasswork migrate"
        raise StartError(message, EXIT_CONFIGURATION)


async def _schema_state(settings: Settings) -> str:
    return await revisions.schema_state(settings.database_url.get_secret_value())


def _start_embedded(data_dir: Path, stack: ExitStack) -> None:
    # Not at the top: the module needs fcntl, and who has a server of their own needs none of it.
    from glasswork.core import embedded  # noqa: PLC0415

    try:
        server = stack.enter_context(embedded.EmbeddedPostgres(data_dir))
        stack.enter_context(server.kept_up())
    except embedded.EmbeddedPostgresError as error:
        raise StartError(str(error), EXIT_CONFIGURATION) from error
    os.environ["DATABASE_URL"] = server.url(embedded.SERVING_ROLE, embedded.DATABASE)
    os.environ["MIGRATION_DATABASE_URL"] = server.url(embedded.OWNER_ROLE, embedded.DATABASE)


def _kept_secret(data_dir: Path) -> str:
    """Read the secret that signs tokens, or make it; of two processes that make one, both get the first."""
    path = data_dir / "jwt_secret"
    if not path.exists():
        data_dir.mkdir(mode=0o700 if os.geteuid() else 0o755, parents=True, exist_ok=True)
        handle, draft = mkstemp(dir=data_dir, prefix="jwt_secret.")  # 0600
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    return path.read_text()


async def _wait_for_database(settings: Settings) -> None:
    """Try until it answers, with growing pauses, for DATABASE_WAIT_SECONDS."""
    url = settings.database_url.get_secret_value()
    set_on_retry_hooks([_tell_of_wait])
    try:
        async for attempt in stamina.retry_context(
            on=_RETRIED, attempts=None, timeout=settings.database_wait_seconds, wait_max=2
        ):
            with attempt:
                connection = await asyncpg.connect(**place_of(url), timeout=5)
                await connection.close()
                return
    except (*_RETRIED, asyncpg.PostgresError) as error:
        place = make_url(url).render_as_string(hide_password=True)
        seconds = f"{settings.database_wait_seconds:g}"
        reason = str(error) or type(error).__name__
        message = f"The database {place} cannot be reached; tried for {seconds} s. The last error: {reason}"
        raise StartError(message, EXIT_UNAVAILABLE) from error
    finally:
        set_on_retry_hooks(None)


def _tell_of_wait(details: RetryDetails) -> None:
    """Once, in words: nobody has said yet what the log shall look like."""
    if details.retry_num == 1:
        sys.stderr.write(f"Waiting for the database: {details.caused_by}\n")


def _explain(error: ValidationError) -> str:
    lines = [
        f"  {str(item['loc'][0]).upper()}: {'is missing' if item['type'] == 'missing' else reason_of(item)}"
        for item in error.errors()
    ]
    return "\n".join(["These settings (environment variables or .env) are missing or wrong:", *lines])
