"""The commands that look after the whole database: `glasswork db`."""
# ruff: noqa: PLC0415

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from glasswork.options import DataDir

MOST_TOLD = 20

databases = typer.Typer(
    help="Dump and restore the database, and compare it with the files.", no_args_is_help=True
)

Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]
Target = Annotated[Path, typer.Argument(metavar="FILE", help="A new file, or - for the standard output.")]
Source = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A dump.")]


@databases.callback()
def _stop_tidily() -> None:
    """Without a half file, or a server that was started for this."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@databases.command("dump")
def dump(file: Target, data_dir: DataDir = None, *, force: Force = False) -> None:
    """Write all that is in the database, as it is at one moment, into a file of pg_dump's custom format.

    Files that were uploaded are not in it: copy them after this, never before.
    """
    from glasswork.core import dumps
    from glasswork.core.errors import StartError
    from glasswork.installation import installation

    with installation(data_dir, as_it_is=True) as settings:
        owner = settings.owner_database_url.get_secret_value()
        asyncio.run(dumps.refuse_empty(owner))
        programs = asyncio.run(dumps.open_programs(owner))
        if str(file) == "-":
            programs.dump(None)
            return
        try:
            with dumps.whole_file(file, replace=force) as whole:
                programs.dump(whole)
        except OSError as error:
            raise StartError(f"{file} cannot be written: {error}", 1) from error
        typer.echo(f"{file} has {file.stat().st_size:,} bytes.", err=True)


@databases.command("restore")
def restore(file: Source, data_dir: DataDir = None) -> None:
    """Load a dump into an empty database, all of it or nothing, and bring its schema up to date."""
    from glasswork.core import dumps
    from glasswork.installation import installation, migrate

    with installation(data_dir, as_it_is=True) as settings:
        owner = settings.owner_database_url.get_secret_value()
        asyncio.run(dumps.refuse_used(owner))
        programs = asyncio.run(dumps.open_programs(owner))
        dumps.refuse_newer(programs.revision_of(file))
        programs.restore(file)
        revision = asyncio.run(migrate(settings))
        asyncio.run(dumps.tidy(owner))
        typer.echo(
            f"The database is there, and its schema at {revision}. Bring the files, then: glasswork db check"
        )


@databases.command("check")
def check(data_dir: DataDir = None) -> None:
    """Look whether each file that the database knows of is in the storage; exit with 1 if one is not."""
    from glasswork import commands
    from glasswork.core.errors import StartError
    from glasswork.installation import installation, refuse_other_schema

    with installation(data_dir, as_it_is=True) as settings:
        asyncio.run(refuse_other_schema(settings))
        files, missing = asyncio.run(commands.missing_files(settings))
    if missing:
        told = [f"  {key}" for key in missing[:MOST_TOLD]]
        raise StartError("\n".join([f"{len(missing)} of {files} files are missing:", *told]), 1)
    typer.echo(f"All {files} files are there.")
