"""Where a feature must be known, in the product and in its tests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .edits import Edit, add_import, add_line, append, append_to_class, append_to_result
from .feature import Feature

Edits = Iterator[tuple[str, *tuple[Edit, ...]]]
"""Of files, by their paths."""


@dataclass(frozen=True, slots=True)
class Registry:
    path: Path
    """From the top of the checkout."""
    edits: Sequence[Edit]
    optional: bool = False
    """Whether it belongs to a feature that the product may do without."""


def registries(feature: Feature) -> Iterator[Registry]:
    for path, *edits in _of_product(feature):
        yield Registry(Path(path), edits)
    for path, *edits in _of_other_features(feature):
        yield Registry(Path(path), edits, optional=True)
    for path, *edits in (*_of_things_of_tests(feature), *_of_tables_of_tests(feature)):
        yield Registry(Path(path), edits, optional=path.startswith(("tests/faults/", "tests/features/")))


def _of_product(feature: Feature) -> Edits:
    names, package = feature.names, feature.package
    source, slices = f"src/{package}", f"{package}.features.{names.plural}"
    scope = names.plural.upper()
    description = f"{names.plural.replace('_', ' ').capitalize()} of workspaces."
    tag = f'{{"name": "{names.tag}", "description": "{description}"}}'
    yield (
        f"{source}/core/schemas.py",
        add_line(
            r'\w+Id = Annotated\[UUID, Reference\("\w+"\)\]',
            f'{names.entity}Id = Annotated[UUID, Reference("{names.singular}")]',
        ),
    )
    yield (
        f"{source}/core/actor.py",
        append_to_class("Scope", f'{scope}_READ = "{names.plural}:read"'),
        append_to_class("Scope", f'{scope}_WRITE = "{names.plural}:write"'),
    )
    yield (
        f"{source}/models.py",
        add_import(f"from {package}.features.{names.plural} import models as {names.plural}"),
        append("__all__", f'"{names.plural}"'),
    )
    yield (
        f"{source}/routers.py",
        add_import(f"from {slices}.router import router as {names.plural}"),
        append("TAGS", tag),
        append("ROUTERS", names.plural),
    )
    yield "pyproject.toml", add_line(r'    "members",', f'    "{names.plural}",', ahead=True)


def _of_other_features(feature: Feature) -> Edits:
    names, slices = feature.names, f"src/{feature.package}/features"
    own, entity = f"{feature.package}.features.{names.plural}", names.entity
    yield f"{slices}/archives/models.py", append("ARCHIVED", f'"{names.plural}"')
    yield (
        f"{slices}/retention/repository.py",
        add_import(f"from {own}.events import {entity}Deleted"),
        append("AT_ONCE", f"{entity}Deleted.type"),
    )
    made = f"select({entity}.__table__).where({entity}.created_by == _USER_ID)"
    yield (
        f"{slices}/account_exports/access.py",
        add_import(f"from {own}.models import {entity}"),
        append("STATEMENTS", f'"{names.plural}": ({made}, {entity}.id)'),
    )
    yield (
        f"{slices}/account_exports/schemas.py",
        add_import(f"from {own}.schemas import {entity}Read"),
        append_to_class(
            "AccountExport",
            f'{names.plural}: list[{entity}Read] = Field(description="That I have made, wherever.")',
        ),
    )


def _of_things_of_tests(feature: Feature) -> Edits:
    """One of everything, in several workspaces."""
    names = feature.names
    one, many = names.singular, names.plural
    factory = add_import(f"from tests.factories.{many} import make_{one}")
    fields = "".join(f", {name}={value}" for name, value in _of_things(feature))
    made = f'(await make_{one}(owner, workspace{fields}))["id"]'
    marked = "".join(f", {each.name}={each.marked}" for each in feature.marked).replace("{mark}", "{MARK}")
    gone = f'await _deleted(caller, "{names.path}", await make_{one}(caller, workspace{marked}))'
    needed = ", ".join(f"{each.name}={each.samples[0]}" for each in feature.examples if each.is_needed)
    sent = f'make(f"{{path}}{names.path}", {needed})["id"]'
    yield (
        "tests/contract/things.py",
        factory,
        append_to_result("make_workspace_things", f'"{one}_id": {made}'),
    )
    yield "tests/contract/foreign.py", factory, append_to_result("deleted", f'"{one}_id": {gone}')
    yield "tests/contract/conftest.py", append_to_result("make_ids", f'"{one}_id": {sent}')
    yield (
        "tests/features/account_exports/test_export.py",
        factory,
        append("MAKERS", f"make_{one}"),
    )


def _of_tables_of_tests(feature: Feature) -> Edits:
    """What is asked of every operation, table and kind of id."""
    one, many = feature.names.singular, feature.names.plural
    verbs = ("create", "update", "delete")
    writes = ", ".join(f'"{verb}_{one}"' for verb in verbs)
    yield (
        "tests/contract/world.py",
        append("BODIES", f'"create_{one}": {feature.body}'),
        append("BODIES", f'"update_{one}": {feature.change}'),
    )
    yield (
        "tests/contract/matrix.py",
        append("DUE", f'**dict.fromkeys(("list_{many}", "get_{one}"), MEMBERS)'),
        append("DUE", f'**dict.fromkeys(("create_{one}", "update_{one}"), WRITERS)'),
        append("DUE", f'"delete_{one}": ADMINS'),
    )
    yield "tests/contract/slots.py", append("INSIDE", f'"{one}"')
    yield "tests/contract/test_document.py", append("REFERENCES", f'"{one}"')
    yield (
        "tests/contract/test_events.py",
        *(append("EVENTS", f'"{verb}_{one}": ["{one}.{verb}d"]') for verb in verbs),
    )
    yield "tests/contract/test_retries.py", append("TAKING", f'"create_{one}"')
    if not feature.marked:
        yield "tests/contract/test_access.py", append("NAMELESS", f'*("list_{many}", "get_{one}")')
    yield "tests/core/test_tenant_keys.py", append("NOT_UNIQUE_THERE", f'"ix_{many}_id": BY_ID')
    yield "tests/faults/document.py", append("LEFT_OUT", f"*({writes})")


def _of_things(feature: Feature) -> Iterator[tuple[str, str]]:
    yield from ((each.name, each.marked) for each in feature.marked)
    yield from ((name, "str(member.id)") for name in feature.members)
