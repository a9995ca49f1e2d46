"""What the answer about a single resource carries besides its body."""

from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Response

from glasswork.core.concurrency import Seen, etag

API_PREFIX = "/api/v1"
REPLAYED = "Idempotent-Replayed"

_ETAG = {
    "ETag": {
        "description": "For If-Match and If-None-Match.",
        "schema": {"type": "string", "examples": ['"7"']},
    }
}
_LOCATION = {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}

TAGGED: dict[int | str, dict[str, Any]] = {200: {"headers": _ETAG}}
SHOWN: dict[int | str, dict[str, Any]] = TAGGED | {
    304: {"description": "It still has the ETag named in If-None-Match.", "headers": _ETAG}
}
CREATED: dict[int | str, dict[str, Any]] = {201: {"headers": _ETAG | _LOCATION}}
ORDERED: dict[int | str, dict[str, Any]] = {202: {"headers": _ETAG | _LOCATION}}
"""What is made later: the answer shows how far it is."""

Resource = TypeVar("Resource", bound=Any)


def tagged(response: Response, resource: Resource) -> Resource:
    response.headers["ETag"] = etag(resource)
    return resource


def shown(response: Response, resource: Resource, seen: Seen) -> Resource | Response:
    """The resource, or no body for a caller who has it as it is."""
    if seen.has(resource):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag(resource)})
    return tagged(response, resource)


def stored(response: Response, collection: str, resource: Resource, is_new: bool) -> Resource:
    """The answer to a PUT of what may have been there."""
    if not is_new:
        return tagged(response, resource)
    response.status_code = HTTPStatus.CREATED
    return created(response, collection, resource)


def created(response: Response, collection: str, resource: Resource) -> Resource:
    response.headers["Location"] = f"{API_PREFIX}{collection}/{resource.id}"
    return tagged(response, resource)
