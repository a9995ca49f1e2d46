"""How every refusal looks, in the answer and in the OpenAPI document."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from opentelemetry.trace import format_trace_id, get_current_span
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from glasswork.core.errors import (
    AppError,
    MalformedRequestError,
    RateLimitError,
    TransientError,
    ValidationError,
    reason_of,
)
from glasswork.core.telemetry.context import current_request
from glasswork.core.telemetry.redaction import scrub

_RETRY_AFTER = {
    "description": "In how many seconds to ask again.",
    "schema": {"type": "integer", "minimum": 1},
}
_HEADERS: dict[int, dict[str, Any]] = {
    RateLimitError.status: {
        "headers": {
            "Retry-After": _RETRY_AFTER,
            "RateLimit": {
                "description": "What is left: `r` requests in the next `t` seconds, by policy.",
                "schema": {"type": "string", "examples": ['"global";r=0;t=17']},
            },
            "RateLimit-Policy": {
                "description": "What holds: `q` requests in `w` seconds, by policy.",
                "schema": {"type": "string", "examples": ['"global";q=1200;w=60']},
            },
        }
    }
}
_REFERENCE = "#/components/schemas/{model}"
_CODES = {kind.status: kind.code for kind in AppError.__subclasses__()}


class InternalError(AppError):
    """What a bug looks like from outside; nobody raises it."""

    status = 500
    code = "INTERNAL_ERROR"

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side.")


class ErrorDetail(BaseModel):
    code: str = Field(description="What went wrong, for programs.", examples=["TASK_NOT_FOUND"])
    message: str = Field(description="What went wrong, for people.")
    details: dict[str, Any] = Field(description="More about it; its keys depend on the code.")
    request_id: str = Field(description="Name it when you ask for help.")
    trace_id: str | None = Field(default=None, description="Of the request in the operator's traces.")


class ErrorResponse(BaseModel):
    error: ErrorDetail


class InvalidField(BaseModel):
    loc: list[str | int] = Field(description="Where it stands.", examples=[["body", "title"]])
    code: str
    message: str


class InvalidFields(BaseModel):
    errors: list[InvalidField]


class ValidationErrorDetail(ErrorDetail):
    details: InvalidFields | dict[str, Any]  # type: ignore[assignment]


class ValidationErrorResponse(BaseModel):
    error: ValidationErrorDetail


def declare(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation that can refuse with these errors."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        model = ValidationErrorResponse if error.status == ValidationError.status else ErrorResponse
        new: dict[str, Any] = {"description": "", "content": _content(model)}
        entry = responses.setdefault(error.status, new | _HEADERS.get(error.status, {}))
        entry["description"] = ", ".join(filter(None, [entry["description"], f"`{error.code}`"]))
    return responses


def _content(model: type[BaseModel]) -> dict[str, Any]:
    """By reference: of a model FastAPI would make a field at every operation, for most of a start."""
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}


def schemas() -> dict[str, Any]:
    """What `declare` refers to, for the components of the document."""
    models: list[type[BaseModel]] = [ErrorResponse, ValidationErrorResponse]
    _, found = models_json_schema([(model, "serialization") for model in models], ref_template=_REFERENCE)
    components: dict[str, Any] = jsonable_encoder(found["$defs"], exclude_none=True)  # as FastAPI does
    return components


def response_for(error: Exception) -> Response:
    match error:
        case AppError():
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                current_request().error = current_request().error or error.__cause__ or error
            return _envelope(error.status, error.code, error.message, error.details, error.headers)
        case RequestValidationError():
            return response_for(_schema_error(error))
        case HTTPException():  # what the framework refuses by itself: 404, 405, a body that it cannot read
            status = HTTPStatus(error.status_code)
            code = _CODES.get(status, status.name)
            return _envelope(status, code, f"{status.phrase}.", {}, dict(error.headers or {}))
        case _:
            current_request().error = error
            return response_for(InternalError())


def install(app: FastAPI) -> None:
    async def render(request: Request, error: Exception) -> Response:
        if isinstance(error, TransientError) or request.scope["type"] == "websocket":
            raise error  # to RetryMiddleware; what it gives up, and a handshake's, is rendered further out
        response = response_for(error)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(_allowed_methods(app, request.scope["path"]))
        return response

    for kind in (AppError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, render)


def _allowed_methods(app: FastAPI, path: str) -> list[str]:
    """The methods of all routes at a path; the framework names those of the first one only.

    No route, but refused for its method, is a mounted folder.
    """
    routes = iter_route_contexts(app.routes)
    fitting = (route for route in routes if route.path and compile_path(route.path)[0].match(path))
    return sorted({method for route in fitting for method in route.methods or ()}) or ["GET", "HEAD"]


def _schema_error(error: RequestValidationError) -> AppError:
    """The input is never repeated: it may hold a password."""
    errors = [
        {"loc": list(item["loc"]), "code": item["type"], "message": reason_of(item)}
        for item in error.errors()
    ]
    if isinstance(error.body, bytes) and errors[0]["loc"] == ["body"]:
        errors[0]["message"] = "This is JSON's place: send it with Content-Type: application/json."
    if any(item["code"] == "json_invalid" for item in errors):
        return MalformedRequestError("The body is not valid JSON.")
    return ValidationError("The request is not valid.", errors=errors)


def _envelope(
    status: int, code: str, message: str, details: dict[str, Any], headers: dict[str, str]
) -> Response:
    request = current_request()
    request.error_code = code
    request.sent_error = {"code": code, "message": scrub(message), "details": _without_input(details)}
    error = {"code": code, "message": message, "details": details, "request_id": request.request_id}
    ids = get_current_span().get_span_context()
    if ids.is_valid:
        error["trace_id"] = format_trace_id(ids.trace_id)
    # ASCII only: a name that the caller sent may hold lone surrogates, which UTF-8 cannot carry.
    body = json.dumps({"error": error}, ensure_ascii=True, default=str)
    return Response(body, status, headers, "application/json")


def _without_input(details: dict[str, Any]) -> dict[str, Any]:
    """What a field that nobody knows is called is the caller's text; a token is the caller's alone."""
    if "errors" not in details:
        return {name: scrub(value) if isinstance(value, str) else value for name, value in details.items()}
    unknown = "extra_forbidden"
    return {
        "errors": [
            error | {"loc": [*error["loc"][:-1], "*"]} if error["code"] == unknown else error
            for error in details["errors"]
        ]
    }
