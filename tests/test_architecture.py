"""What import-linter cannot say of the house."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant

from glasswork.core.http.dependencies import act_as_system
from glasswork.routers import ROUTERS

SOURCE = Path(__file__).parents[1] / "src" / "glasswork"
FILES = sorted(SOURCE.rglob("*.py"))
PRIVATE = {"repository", "router"}
PUBLIC_OPERATIONS = {
    "register",
    "register_invited",
    "create_first_admin",
    "log_in",
    "verify_second_factor",
    "refresh",
    "list_oidc_providers",
    "follow_link",
    "follow_calendar_feed",
    "show_unsubscription",
    "unsubscribe",
    "begin_oidc",
    "finish_oidc",
    "verify_email",
    "request_password_reset",
    "reset_password",
    "confirm_email",
    "receive_message",
    "health",
    "ready",
}
LAZY = {
    "cache.py",
    "charts.py",
    "cli.py",
    "import_commands.py",
    "database_commands.py",
    "installation.py",
    "counters.py",
    "event_stream.py",
}
SYSTEM = {
    ("core/http/dependencies.py", "_transaction"),
    ("demo.py", "make_demo"),
    ("features/accounts/router.py", "update_user"),
    ("features/announcements/router.py", "create_announcement"),
    ("features/announcements/service.py", "_letters"),
    ("features/archives/service.py", "_begin"),
    ("features/archives/service.py", "_complete"),
    ("features/archives/service.py", "give_up"),
    ("features/attachments/service.py", "_show"),
    ("features/delivering/service.py", "_transaction"),
    ("features/importing/service.py", "_change"),
    ("features/invitations/router.py", "register_invited"),
    ("features/invitations/router.py", "accept_invitation"),
    ("features/notifications/router.py", "unsubscribe"),
    ("features/notifying/jobs.py", "notify"),
    ("features/notifying/jobs.py", "notify_invited"),
    ("features/notifying/jobs.py", "remind"),
    ("features/letters/jobs.py", "send_daily"),
    ("features/privacy/router.py", "delete_me"),
    ("features/restoring/service.py", "_restore"),
    ("features/seals/service.py", "_renew_after"),
    ("features/reports/service.py", "_start"),
    ("features/reports/service.py", "_finish"),
    ("features/retention/service.py", "_step"),
    ("features/workspaces/router.py", "create_workspace"),
}
"""What writes in any workspace: accounts and the purge know none, who makes or joins one is in none yet."""
SYSTEM_OPERATIONS = {
    "update_user",
    "delete_me",
    "create_workspace",
    "register_invited",
    "accept_invitation",
    "unsubscribe",
    "create_announcement",
}
COMPOSERS = {"glasswork.app", "glasswork.routers"}
SQL = {"select", "insert", "update", "delete", "text"}
SQL_FILES = {"repository.py", "access.py"}


def trees(*, within: Path = SOURCE) -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        if path.is_relative_to(within):
            yield path.relative_to(SOURCE), parsed(path)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_repositories_and_routers_are_private() -> None:
    graph = grimp.build_graph("glasswork")
    leaks = [
        f"{importer} -> {module}"
        for module in graph.find_descendants("glasswork.features")
        if module.rpartition(".")[2] in PRIVATE
        for importer in graph.find_modules_that_directly_import(module)
        if importer.rpartition(".")[0] != module.rpartition(".")[0] and importer not in COMPOSERS
    ]
    assert not leaks


def test_files_are_short() -> None:
    lengths = {path.relative_to(SOURCE): len(path.read_text().splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_functions_are_short() -> None:
    long = [
        f"{path}: {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno + 1 > 45
    ]
    assert not long


def test_packages_are_empty_inside() -> None:
    assert [path for path in SOURCE.rglob("__init__.py") if path.read_text()] == []


def test_no_import_hides_inside_a_function() -> None:
    hidden = [
        f"{path}:{inner.lineno}"
        for path, tree in trees()
        if path.name not in LAZY
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert not hidden


def test_sql_stands_in_repositories_only() -> None:
    spoken = [
        f"{path}:{node.lineno}"
        for path, tree in trees(within=SOURCE / "features")
        if path.name not in SQL_FILES
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SQL
    ]
    assert not spoken


def test_few_write_beyond_the_workspaces_of_who_asks() -> None:
    names = {"system_transaction", "AsSystem"}
    reaching = {
        (str(path), function.name)
        for path, tree in trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if getattr(node, "attr", None) in names or getattr(node, "id", None) in names
    }
    assert reaching == SYSTEM


def test_few_operations_do() -> None:
    routes: list[Any] = [route for router in ROUTERS for route in router.routes]
    assert {route.name for route in routes if depends_on(route.dependant, act_as_system)} == SYSTEM_OPERATIONS


def depends_on(dependant: Dependant, call: object) -> bool:
    return dependant.call is call or any(depends_on(inner, call) for inner in dependant.dependencies)


def test_only_core_commits() -> None:
    commits = [
        f"{path}:{node.lineno}"
        for path, tree in trees(within=SOURCE / "features")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback"}
    ]
    assert not commits


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "router.py"], ids=str)
def test_a_handler_is_one_statement(path: Path) -> None:
    handlers = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef) and node.decorator_list
    ]
    assert handlers
    for handler in handlers:
        assert ast.get_docstring(handler), f"{handler.name} has no documentation"
        assert len(handler.body) == 2, f"{handler.name} does more than call its service"


def test_every_operation_asks_who_calls_or_is_public(app: FastAPI) -> None:
    schema = app.openapi()
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            is_open = operation["security"] == []
            assert is_open == (operation["operationId"] in PUBLIC_OPERATIONS), path
