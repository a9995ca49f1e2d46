"""The files that are new, of the templates."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from .checkout import Checkout, Text
from .feature import Feature

PARTS: Final = ("errors", "events", "models", "policy", "repository", "router", "schemas", "service")


def render(checkout: Checkout, feature: Feature) -> Iterator[Text]:
    last = checkout.last_revision()
    context = feature.context() | {"down_revision": last, "revision": f"{int(last) + 1:0{len(last)}}"}
    templates = _templates()

    def rendered(template: str, path: Path) -> Text:
        return Text(path, templates.get_template(f"{template}.py.jinja").render(context), is_new=True)

    plural, day = feature.names.plural, datetime.now(UTC).strftime("%Y_%m_%d")
    folder, tests = Path("src", checkout.package, "features", plural), Path("tests/features", plural)
    for package in (folder, tests):
        yield Text(package / "__init__.py", "", is_new=True)
    for part in PARTS:
        yield rendered(f"feature/{part}", folder / f"{part}.py")
    yield rendered("migration", Path("migrations/versions", f"{day}_{plural}.py"))
    yield rendered("tests/factory", Path("tests/factories", f"{plural}.py"))
    for part in ("test_api", "test_policy"):
        yield rendered(f"tests/{part}", tests / f"{part}.py")


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=False,  # noqa: S701 (it makes Python)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
