"""What all tests share that make up requests from the document."""

import os
from typing import Any, cast
from uuid import uuid4

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ensure_resource_availability,
    positive_data_acceptance,
    unsupported_method,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from glasswork.app import create_app
from tests.conftest import make_settings
from tests.installations import IS_CLUSTER

DOCUMENT = create_app(make_settings("postgresql+asyncpg://nobody@nowhere/nothing")).openapi()

_whole = schemathesis.openapi.from_dict(DOCUMENT)
without_streams = cast("OpenApiSchema", _whole.exclude(path_regex="/events$"))
"""Which never end where real processes serve them."""
schema = without_streams if IS_CLUSTER else _whole
schema.config.phases.coverage.enabled = False  # thousands of cases, which are in test_limits

KEY = "Idempotency-Key"

OPERATIONS = {
    result.ok().definition.raw["operationId"]: result.ok()
    for result in schema.get_all_operations()
    if isinstance(result, Ok)
}

# Refusals for reasons that JSON Schema has no words for: another list's cursor, the year 9999, a foreign id.
BEYOND_SCHEMA = {
    "before_first_day",
    "filter_syntax",
    "forbidden_url",
    "cycle",
    "invalid_cursor",
    "invalid_recurrence",
    "malformed_etag",
    "needed_by_kind",
    "one_project",
    "project_needed",
    "not_of_kind",
    "position_out_of_range",
    "scope_beyond_workspace",
    "token_not_taken",
    "too_deep",
    "too_long",
    "too_many",
    "transition_not_allowed",
    "unfit_password",
    "unknown_assignee",
    "unknown_comment",
    "unknown_label",
    "unknown_member",
    "unknown_parent",
    "unknown_project",
    "unknown_status",
    "unknown_time_zone",
    "unknown_task",
    "value_error",
}


TAKEN_FOR_ANOTHER = ("/tasks/bulk", "/notifications/read")
"""Which the path of an operation with other methods would take for a key or an id."""

each_settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "6")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def keeps_contract(case: Case[Any], base_url: str, headers: dict[str, str], ids: dict[str, Any]) -> None:
    if is_meant_well(case):
        case.path_parameters = {name: ids[name] for name in case.path_parameters}
        if KEY in case.headers:
            case.headers[KEY] = str(uuid4())  # the examples' is one and the same
    response = case.call(base_url=base_url, headers=headers)
    case.validate_response(response, excluded_checks=unfit_checks(case, response))


def is_meant_well(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


def unfit_checks(case: Case[Any], response: Response) -> list[CheckFunction]:
    """Those that ask for more than the schema can say."""
    unfit: list[CheckFunction] = []
    if _is_beyond_schema(response):
        unfit.append(positive_data_acceptance)
    if _misses_something_else(case, response):
        unfit.append(ensure_resource_availability)
    if case.operation.path.endswith(TAKEN_FOR_ANOTHER):
        unfit += [unsupported_method, allow_header_conformance]
    return unfit


def _is_beyond_schema(response: Response) -> bool:
    if response.status_code == 412:
        return True
    if response.status_code not in {400, 422}:
        return False
    error = response.json()["error"]
    if error["code"] in {"INVALID_ONE_TIME_TOKEN", "IDEMPOTENCY_KEY_REUSED"}:
        return True
    errors = error["details"].get("errors", [])
    return bool(errors) and all(error["code"] in BEYOND_SCHEMA for error in errors)


def _misses_something_else(case: Case[Any], response: Response) -> bool:
    """Not what stands in the path, but what the body names."""
    if response.status_code != 404 or not case.path_parameters:
        return False
    kind = list(case.path_parameters)[-1].removesuffix("_id").upper()
    code: str = response.json()["error"]["code"]
    return code != f"{kind}_NOT_FOUND"
