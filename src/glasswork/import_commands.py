"""The commands that load what comes from elsewhere: `glasswork import FORMAT`."""
# ruff: noqa: PLC0415

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from glasswork.options import DataDir

FILES: Final = {
    "csv": "Load a table of tasks, whose first line names the columns.",
    "github-archive": "Load the issues and pull requests of a GitHub repository from an `archive.json`.",
    "todoist": "Load a project (CSV) or a backup (ZIP) of Todoist.",
    "trello": "Load a board of Trello, exported as JSON.",
}

imports = typer.Typer(
    help="Load what comes from elsewhere. Twice is once; without --skip, all of it or nothing.",
    no_args_is_help=True,
)


def _read_json(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is no JSON: {error}") from error


File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What to load.")]
Slug = Annotated[str, typer.Option("--workspace", help="The workspace's slug.")]
Login = Annotated[str, typer.Option("--as", metavar="EMAIL", help="The member who imports.")]
Key = Annotated[str | None, typer.Option("--project", help="By default made of the source's name.")]
Options = Annotated[
    dict[str, object] | None,
    typer.Option(metavar="JSON", parser=_read_json, help="Of the format, as the API takes them."),
]
Skip = Annotated[bool, typer.Option("--skip", help="Leave out what is broken.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be, and store nothing.")]
Token = Annotated[str | None, typer.Option(envvar="GITHUB_TOKEN", show_default=False)]


def _command(name: str) -> Callable[..., None]:
    def load(
        file: File,
        workspace: Slug,
        login: Login,
        project: Key = None,
        options: Options = None,
        data_dir: DataDir = None,
        *,
        skip: Skip = False,
        dry_run: DryRun = False,
    ) -> None:
        fields: dict[str, Any] = {"format": name.replace("-", "_"), "project_key": project}
        if options is not None:
            fields["options"] = options
        _load(fields, file, workspace, login, data_dir, skip=skip, dry_run=dry_run)

    return load


for _name, _help in FILES.items():
    imports.command(_name, help=_help)(_command(_name))


@imports.command("github")
def load_github(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME")],
    workspace: Slug,
    login: Login,
    project: Key = None,
    options: Options = None,
    token: Token = None,
    data_dir: DataDir = None,
    *,
    skip: Skip = False,
    dry_run: DryRun = False,
) -> None:
    """Load the issues and pull requests of a repository from GitHub itself."""
    source = {"repository": repository, "token": token or None} | (options or {})
    fields = {"format": "github", "project_key": project, "options": source}
    _load(fields, None, workspace, login, data_dir, skip=skip, dry_run=dry_run)


@imports.command("archive")
def load_archive(file: File, data_dir: DataDir = None) -> None:
    """Load a whole workspace, as it was at another installation."""
    from rich.console import Console
    from rich.progress import Progress

    from glasswork import commands
    from glasswork.installation import installation, refuse_other_schema

    with (
        installation(data_dir) as settings,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        bar = progress.add_task("Importing", total=None)
        asyncio.run(refuse_other_schema(settings))
        report = asyncio.run(
            commands.import_archive(
                settings, file, lambda done, total: progress.update(bar, completed=done, total=total)
            )
        )
    if not report.is_new:
        typer.echo(f"The workspace {report.slug} came of this archive already: nothing has changed.")
        return
    counts = {
        "Workspace": report.slug,
        "New users": report.users_created,
        "Known users": report.users_matched,
        "Files": report.files,
        **report.rows,
    }
    width = max(map(len, counts)) + 2
    typer.echo("\n".join(f"{name:<{width}}{count}" for name, count in counts.items()))
    if report.renamed:
        typer.echo(f"Renamed, since others have their usernames: {', '.join(report.renamed)}")
    typer.echo("New users have no password: they ask for one by POST /api/v1/auth/forgot-password.")


def _load(
    fields: dict[str, Any],
    file: Path | None,
    workspace: str,
    login: str,
    data_dir: Path | None,
    *,
    skip: bool,
    dry_run: bool,
) -> None:
    from rich.progress import Progress

    from glasswork import commands
    from glasswork.core.errors import StartError
    from glasswork.features.imports.models import ImportStatus
    from glasswork.features.imports.schemas import IMPORT_CREATE, ImportRead
    from glasswork.installation import installation

    wanted = {"on_error": "skip" if skip else "stop", "dry_run": dry_run}
    new = IMPORT_CREATE.validate_python(fields | wanted)
    with installation(data_dir) as settings, Progress(transient=True) as progress:
        bar = progress.add_task("Importing", total=None)

        def show(seen: ImportRead) -> None:
            doing = f"waiting until {seen.waiting_until:%H:%M} UTC" if seen.waiting_until else seen.status
            progress.update(bar, total=seen.total, completed=seen.done, description=doing)

        report, faults = asyncio.run(commands.import_file(settings, new, file, workspace, login, show))
    for fault in faults:
        typer.echo(f"{fault.place}: {fault.message}", err=True)
    if report.status is ImportStatus.FAILED:
        raise StartError(report.error or "", 1)
    typer.echo(
        f"Project        {report.project_key}\n"
        f"New tasks      {report.tasks}\n"
        f"Already there  {report.tasks_there}\n"
        f"New labels     {report.labels}\n"
        f"New comments   {report.comments}\n"
        f"Faults         {report.faults}"
    )
