"""What the answer about a single resource carries besides its body."""

from typing import Any, TypeVar

from fastapi import Response

from glasswork.core.concurrency import etag

API_PREFIX = "/api/v1"

_ETAG = {"ETag": {"description": "For If-Match.", "schema": {"type": "string", "examples": ['"7"']}}}
_LOCATION = {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}

TAGGED: dict[int | str, dict[str, Any]] = {200: {"headers": _ETAG}}
CREATED: dict[int | str, dict[str, Any]] = {201: {"headers": _ETAG | _LOCATION}}

Resource = TypeVar("Resource", bound=Any)


def tagged(response: Response, resource: Resource) -> Resource:
    response.headers["ETag"] = etag(resource)
    return resource


def created(response: Response, collection: str, resource: Resource) -> Resource:
    response.headers["Location"] = f"{API_PREFIX}{collection}/{resource.id}"
    return tagged(response, resource)
