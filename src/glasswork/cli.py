"""The command line. What a command needs is imported in it, so that `--help` answers at once."""
# ruff: noqa: PLC0415

import asyncio
import gc
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from glasswork.database_commands import databases
from glasswork.import_commands import imports
from glasswork.options import FIELD_HELP, DataDir

app = typer.Typer(
    help="A task-tracker API that shows its workings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
jobs = typer.Typer(help="Look after the jobs.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")
app.add_typer(imports, name="import")
app.add_typer(databases, name="db")


def main() -> None:
    """Run a command; what stops it before it can work is told in a sentence, not in a traceback."""
    from pydantic import ValidationError

    from glasswork.core.errors import AppError, StartError, reason_of

    # What is imported stays, and to look for garbage in it after every 700 objects is a seventh of the start.
    gc.set_threshold(50_000)
    try:
        app()
    except StartError as error:
        _fail(str(error), error.exit_code)
    except AppError as error:
        faults = error.details.get("errors", [])
        _fail("\n".join([error.message, *(f"  {fault['loc'][-1]}: {fault['message']}" for fault in faults)]))
    except ValidationError as error:  # its own text would repeat what was typed, passwords too
        _fail(
            "\n".join(f"{'.'.join(map(str, fault['loc']))}: {reason_of(fault)}" for fault in error.errors())
        )


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"Glasswork {version('glasswork')}")
        raise typer.Exit


@app.callback()
def _every(
    *,
    _: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    data_dir: DataDir = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer requests.")] = 1,
    *,
    worker: Annotated[bool, typer.Option(help="Carry out jobs too, beside the requests.")] = True,
) -> None:
    """Start the API, on an embedded PostgreSQL when DATABASE_URL is not set."""
    from glasswork import server
    from glasswork.core.settings import Settings

    def announce(address: str, settings: Settings, setup_token: str | None) -> None:
        places = {"API": f"{address}/api/v1"}
        if settings.docs_enabled:
            places["Docs"] = f"{address}/docs"
        if settings.has_ops_page:
            places["Operations"] = f"{address}/ops"
        if settings.metrics_port:
            places["Metrics"] = f"http://{settings.metrics_host}:{settings.metrics_port}/metrics"
        lines = [
            "",
            "  Glasswork is up.",
            "",
            *(f"  {name:<10} {place}" for name, place in places.items()),
            "",
        ]
        if setup_token:
            public = settings.public_url if "public_url" in settings.model_fields_set else address
            lines += [
                "  There is no administrator yet. Whoever opens this link becomes the first one:",
                "",
                f"  {public}/setup#token={setup_token}",
                "",
            ]
        with suppress(OSError):  # nobody can read it, but everybody can be served
            typer.echo("\n".join(lines), err=True)

    server.serve(host, port, data_dir, workers, worker, announce)


@app.command()
def worker(data_dir: DataDir = None) -> None:
    """Carry out jobs, beside a server that was started with --no-worker."""
    from glasswork.core.garbage import collecting_seldom
    from glasswork.installation import installation, refuse_other_schema
    from glasswork.worker import work

    with installation(data_dir) as settings:
        asyncio.run(refuse_other_schema(settings))
        with collecting_seldom():
            asyncio.run(work(settings))


@jobs.command("list")
def list_jobs(data_dir: DataDir = None) -> None:
    """Show the jobs that wait, run or are dead."""
    from glasswork import commands
    from glasswork.installation import installation

    with installation(data_dir) as settings:
        for job in asyncio.run(commands.list_jobs(settings)):
            error = f"  {job.error}" if job.error else ""
            typer.echo(f"{job.id:>8}  {job.state:<8} {job.attempts:>3} tries  {job.name}{error}")


@jobs.command("retry")
def retry_job(job_id: int, data_dir: DataDir = None) -> None:
    """Put a dead job back into the queue."""
    from glasswork import commands
    from glasswork.installation import installation

    with installation(data_dir) as settings:
        asyncio.run(commands.retry_job(settings, job_id))
    typer.echo(f"Job {job_id} waits again.")


@app.command()
def mail(data_dir: DataDir = None) -> None:
    """Show the mail that was kept because there is no SMTP_URL."""
    from glasswork import commands
    from glasswork.installation import installation

    with installation(data_dir) as settings:
        for letter in asyncio.run(commands.kept_mail(settings)):
            typer.echo(f"To: {letter.recipient}\nSubject: {letter.subject}\n\n{letter.body}\n---")


@app.command()
def migrate(
    data_dir: DataDir = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Fail if models and schema differ.")] = False,
) -> None:
    """Bring the database's schema to the newest revision."""
    from alembic.util.exc import AutogenerateDiffsDetected

    from glasswork import installation
    from glasswork.core import migrations
    from glasswork.core.errors import StartError

    with installation.installation(data_dir) as settings:
        revision = asyncio.run(installation.migrate(settings))
        if check:
            try:
                asyncio.run(migrations.compare(settings.owner_database_url.get_secret_value()))
            except AutogenerateDiffsDetected as error:
                raise StartError(str(error), 1) from error
        typer.echo(f"The schema is at {revision}.")


@app.command()
def doctor(
    data_dir: DataDir = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write it for programs.")] = False,
) -> None:
    """Check this installation, and how ready it is for others; exit with 1 for warnings, 2 for errors."""
    import json

    from rich.console import Console

    from glasswork.doctor.examination import examine
    from glasswork.doctor.report import show

    report = examine(data_dir)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        show(report, Console(highlight=False))
    raise typer.Exit(report.exit_code)


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(prompt=True)],
    username: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)],
    name: Annotated[str, typer.Option(help="By default the username.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Open an account that administers the installation."""
    from pydantic import SecretStr

    from glasswork import commands
    from glasswork.features.accounts.schemas import Registration
    from glasswork.installation import installation

    new = Registration(email=email, username=username, name=name or username, password=SecretStr(password))
    with installation(data_dir) as settings:
        asyncio.run(commands.create_admin(settings, new))
    typer.echo(f"{username} is an admin of this installation.")


@app.command()
def demo(data_dir: DataDir = None) -> None:
    """Make a small workspace to look around in, and a user for it."""
    from glasswork.demo import make_demo
    from glasswork.installation import installation

    with installation(data_dir) as settings:
        slug, login, password = asyncio.run(make_demo(settings))
    typer.echo(f"Workspace  {slug}\nUsername   {login}\nPassword   {password}")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    import json

    from pydantic import SecretStr

    from glasswork.app import create_app
    from glasswork.core.settings import Settings

    # The document depends on neither, but settings without them are refused.
    settings = Settings(
        database_url=SecretStr("postgresql+asyncpg://nobody@nowhere/nothing"), jwt_secret=SecretStr("-" * 32)
    )
    typer.echo(json.dumps(create_app(settings).openapi(), indent=2))


@app.command("new-feature")
def new_feature(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What there are many of: invoices, sales_orders.")
    ],
    field: Annotated[list[str], typer.Option(help=FIELD_HELP, metavar="FIELD")],
    singular: Annotated[
        str | None, typer.Option(help="What one of them is called.", show_default="derived")
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which files there would be, and write nothing.")
    ] = False,
) -> None:
    """Write a feature into this checkout: a resource of workspaces, its table, its tests, its place."""
    from glasswork.scaffolding.command import new_feature

    typer.echo(new_feature(Path(__file__).parent, name, singular, field, dry_run=dry_run))


@app.command()
def strip(
    name: Annotated[str, typer.Argument(help="Of the package and the command, such as acme.")],
    into: Annotated[
        Path | None,
        typer.Option(help="A folder that is not there yet.", show_default="NAME beside the checkout"),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which files would not be in it, and write nothing.")
    ] = False,
) -> None:
    """Make a base for another product of this checkout: all but the tracker, under another name."""
    from glasswork.scaffolding.stripping.strip import strip

    target = strip(Path(__file__).parents[2], name, into, typer.echo, dry_run=dry_run)
    if not dry_run:
        typer.echo(f"The base is in {target}. Next: uv run {name} serve, and uv run task test.")


def _fail(message: str, exit_code: int = 1) -> NoReturn:
    typer.secho(message, fg=typer.colors.RED, err=True)
    sys.exit(exit_code)
