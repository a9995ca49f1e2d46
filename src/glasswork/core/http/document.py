"""What the framework's document of the API lacks.

How a refusal looks; links, from the answer that creates something to every operation that takes its id; and
for the pages of lists and for forms names that a generated client can call its classes by.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from glasswork.core.http import errors

Document = dict[str, Any]

_FORM = re.compile(r"Body_(\w+)")
_PAGE = re.compile(r"PageRead[_\[](\w+?)(?:Read)?[_\]]")


def install(app: FastAPI) -> None:
    build = app.openapi

    def openapi() -> Document:
        if app.openapi_schema is None:
            document = _rename(build())
            _add_schemas(document)
            _add_links(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # the framework's own way to extend its document


def _rename(document: Document) -> Document:
    named = _PAGE.sub(r"\1Page", json.dumps(document))
    renamed: Document = json.loads(_FORM.sub(_name_form, named))
    return renamed


def _name_form(found: re.Match[str]) -> str:
    return f"{found[1].title().replace('_', '')}Form"


def _add_schemas(document: Document) -> None:
    components = document["components"]
    components["schemas"] = dict(sorted((components["schemas"] | errors.schemas()).items()))


def _add_links(document: Document) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    for source in operations:
        created = source["responses"].get("201") or source["responses"].get("202")
        if created and (kind := _kind(document, created)):
            created["links"] = dict(_links(source, kind, operations))


def _kind(document: Document, created: dict[str, Any]) -> str | None:
    name = created["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    kind: str | None = document["components"]["schemas"][name]["properties"].get("id", {}).get("x-ref")
    return kind


def _links(
    source: dict[str, Any], kind: str, operations: list[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where everything in the path is the new id, or stands in the path of the source too."""
    known = {name: f"$request.path.{name}" for name in _path(source)}
    for target in operations:
        values = {
            name: "$response.body#/id" if refers_to == kind else known.get(name)
            for name, refers_to in _path(target).items()
        }
        if kind in _path(target).values() and all(values.values()):
            yield target["operationId"], {"operationId": target["operationId"], "parameters": values}


def _path(operation: dict[str, Any]) -> dict[str, str | None]:
    """What the parameters in its path refer to."""
    parameters = operation.get("parameters", ())
    return {each["name"]: each["schema"].get("x-ref") for each in parameters if each["in"] == "path"}
