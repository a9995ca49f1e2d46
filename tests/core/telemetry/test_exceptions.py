"""What a line tells of an exception instead of its text."""

import json
import subprocess
from collections.abc import Callable
from functools import partial

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from glasswork.core.errors import EXIT_CONFIGURATION, NotFoundError, StartError
from glasswork.core.telemetry.exceptions import describe, type_name

from .programs import command


def fail(error: Exception) -> None:
    raise error


def caught(function: Callable[[], object]) -> Exception:
    try:
        function()
    except Exception as error:  # noqa: BLE001 (whatever the test is about)
        return error
    raise AssertionError


def swim(depth: int) -> None:
    if depth == 0:
        raise LookupError
    swim(depth - 1)


class TestWhatIsTold:
    def test_the_stack_ends_where_it_was_raised(self) -> None:
        told = describe(caught(lambda: fail(ValueError("otter"))))
        *_, caller, last = told["stack"]
        assert told["type"] == "ValueError"
        assert caller.startswith("tests/core/telemetry/test_exceptions.py:")
        assert caller.endswith(".<lambda>")
        line = fail.__code__.co_firstlineno + 1
        assert last == f"tests/core/telemetry/test_exceptions.py:{line} fail"
        assert "otter" not in json.dumps(told)

    def test_a_type_is_named_with_its_module(self) -> None:
        assert type_name(NotFoundError("otter")) == "glasswork.core.errors.NotFoundError"
        assert type_name(KeyError("otter")) == "KeyError"

    @pytest.mark.parametrize(
        "error", [NotFoundError("There is no such otter."), StartError("Feed the otter.", EXIT_CONFIGURATION)]
    )
    def test_a_text_of_our_own_is_kept(self, error: Exception) -> None:
        assert describe(error)["message"] == str(error)

    def test_and_yet_without_secrets(self) -> None:
        told = describe(StartError("postgresql://ada:secret@db cannot be reached.", EXIT_CONFIGURATION))
        assert told["message"] == "postgresql://[redacted]@db cannot be reached."

    @pytest.mark.parametrize("error", [ValueError("otter"), asyncpg.PostgresError("otter")])
    def test_no_other_text_is(self, error: Exception) -> None:
        assert "message" not in describe(error)


class TestCauses:
    def test_are_told_with_their_place_the_nearest_first(self) -> None:
        def chain() -> None:
            try:
                fail(KeyError("otter"))
            except KeyError as cause:
                error = TypeError("otter")
                error.__cause__ = cause
                try:
                    fail(error)
                except TypeError:
                    fail(ValueError("otter"))

        first, second = describe(caught(chain))["causes"]
        assert first.startswith("TypeError at tests/core/telemetry/test_exceptions.py:")
        assert second.startswith("KeyError at ")
        assert second.endswith(" fail")

    def test_what_was_hidden_stays_hidden(self) -> None:
        def chain() -> None:
            try:
                fail(KeyError("otter"))
            except KeyError:
                raise ValueError from None

        assert "causes" not in describe(caught(chain))

    def test_are_also_what_a_group_holds(self) -> None:
        group = ExceptionGroup(
            "otters", [KeyError(1), ExceptionGroup("more", [caught(lambda: fail(TypeError()))])]
        )
        causes = describe(group)["causes"]
        assert causes[:2] == ["KeyError", "ExceptionGroup"]
        assert causes[2].startswith("TypeError at tests/")

    def test_a_circle_of_them_ends(self) -> None:
        first, second = ValueError(), TypeError()
        first.__cause__, second.__cause__ = second, first
        assert describe(first)["causes"] == ["TypeError"]

    def test_are_limited(self) -> None:
        assert (
            len(describe(ExceptionGroup("otters", [KeyError(number) for number in range(99)]))["causes"])
            == 10
        )


class TestSqlstate:
    def test_is_that_of_the_exception_or_of_what_is_below(self) -> None:
        refused = asyncpg.UniqueViolationError("otter")
        above = ValueError()
        above.__cause__ = refused
        for error in (refused, above, DBAPIError("SELECT", (), refused)):
            assert describe(error)["sqlstate"] == "23505"

    @pytest.mark.parametrize("state", [None, 23505, "otter", "23505\n", "235056"])
    def test_is_nothing_else(self, state: object) -> None:
        error = ValueError()
        error.sqlstate = state  # type: ignore[attr-defined]
        assert "sqlstate" not in describe(error)


class TestHash:
    def test_is_that_of_kind_and_place(self) -> None:
        def one(error: Exception) -> str:
            told: str = describe(caught(lambda: fail(error)))["hash"]
            return told

        assert one(ValueError("an otter")) == one(ValueError("two otters"))
        assert one(ValueError()) != one(KeyError())
        assert one(ValueError()) != describe(caught(lambda: fail(ValueError())))["hash"]

    def test_is_the_same_in_every_run(self) -> None:
        program = """
            import sys
            from glasswork.core.telemetry.exceptions import describe
            try:
                int("otter")
            except ValueError as error:
                print(describe(error)["hash"])
        """
        hashes = {subprocess.check_output(command(program), timeout=30) for _ in range(2)}
        assert len(hashes) == 1

    def test_of_a_recursion_does_not_depend_on_its_depth(self) -> None:
        shallow, deep = (describe(caught(partial(swim, depth))) for depth in (5, 500))
        assert (len(shallow["stack"]), len(deep["stack"])) == (7, 50)
        assert shallow["hash"] == deep["hash"]
