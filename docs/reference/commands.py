from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from glasswork.cli import app

_HEAD = """# Commands

`glasswork COMMAND --help` says the same. Exit codes: 0 done, 1 refused or failed, 2 a command that is not
one, 78 settings that are not valid; where a command has others, it says so.
"""


def commands_page() -> str:
    return _HEAD + "".join(_section(name, command) for name, command in commands())


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Every command by its whole name; groups are left out."""
    yield from _below("glasswork", get_command(app))


def _below(name: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for word, each in command.commands.items():
            yield from _below(f"{name} {word}", each)
    elif isinstance(command, TyperCommand):
        yield name, command


def _section(name: str, command: TyperCommand) -> str:
    context = typer.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    shown = [each for each in command.params if isinstance(each, TyperArgument | TyperOption)]
    rows = "".join(f"| {_names(each)} | {_default(each)} | {_meaning(each)} |\n" for each in shown)
    table = f"\n| | Default | |\n|---|---|---|\n{rows}" if rows else ""
    return f"\n## {name}\n\n```\n{usage}\n```\n\n{command.help or ''}\n{table}"


def _names(parameter: TyperArgument | TyperOption) -> str:
    if isinstance(parameter, TyperArgument):
        return f"`{(parameter.name or '').upper()}`"
    return " ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: TyperArgument | TyperOption) -> str:
    value = parameter.default
    if callable(value) or value in {None, False, ""}:
        return ""
    return f"`{parameter.opts[0] if value is True else value}`"


def _meaning(parameter: TyperArgument | TyperOption) -> str:
    said = parameter.help or ""
    return f"{said} Required.".strip() if parameter.required and isinstance(parameter, TyperOption) else said
