"""All that a feature makes or changes, but for its format: nothing is written before all of it is known."""

from collections.abc import Iterator
from typing import Final

from .checkout import Checkout, Text
from .edits import LostPlaceError
from .errors import RefusedError
from .feature import Feature
from .names import Names
from .registries import registries
from .rendering import render
from .taken import ensure_free

STAND_IN: Final = Names("stand_ins", "stand_in")
"""The words of what is made for it are those that no feature can be called by."""


def plan(checkout: Checkout, feature: Feature) -> list[Text]:
    """Raise RefusedError where something is in the way."""
    stand_in = render(checkout, feature.renamed(STAND_IN))
    ensure_free(checkout, feature.names, [text.content for text in stand_in])
    return [*render(checkout, feature), *_changed(checkout, feature)]


def _changed(checkout: Checkout, feature: Feature) -> Iterator[Text]:
    for registry in registries(feature):
        if registry.optional and not (checkout.root / registry.path).is_file():
            continue
        content = checkout.read(registry.path)
        try:
            for edit in registry.edits:
                content = edit(content)
        except LostPlaceError as error:
            raise RefusedError(
                f"{registry.path} has no {error} any more, where the feature must be told of."
            ) from error
        yield Text(registry.path, content, is_new=False)
