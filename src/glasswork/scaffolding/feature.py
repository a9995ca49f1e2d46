"""A feature that is to be made: what the templates and the registries are told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .examples import FOUND, Example
from .fields import Field
from .names import Names
from .reading import ensure_fitting, read_field

TIMES = ("created_at", "updated_at")


@dataclass(frozen=True)
class Feature:
    package: str
    """Of the product."""
    names: Names
    fields: Sequence[Field]

    @classmethod
    def read(
        cls, package: str, plural: str, singular: str | None, specifications: Sequence[str]
    ) -> "Feature":
        """Raise RefusedError for what cannot be."""
        names = Names.of(plural, singular)
        fields = [read_field(names, specification) for specification in specifications]
        ensure_fitting(fields)
        return cls(package, names, fields)

    def renamed(self, names: Names) -> "Feature":
        return Feature(self.package, names, [replace(field, names=names) for field in self.fields])

    @property
    def members(self) -> Sequence[str]:
        """The fields that name somebody."""
        return [field.name for field in self.fields if field.is_member]

    @cached_property
    def examples(self) -> Sequence[Example]:
        """Of the fields that tests give a value."""
        return [Example(field) for field in self.fields if not field.is_member]

    @property
    def marked(self) -> Sequence[Example]:
        return [each for each in self.examples if each.is_marked][:1]

    @property
    def body(self) -> str:
        """Which makes one, and names somebody where one can be named."""
        sent = [(each.name, each.samples[1]) for each in self.examples]
        return _dictionary([*sent, *((name, '"{user_id}"') for name in self.members)])

    @property
    def change(self) -> str:
        first = self.examples[0]
        return _dictionary([(first.name, first.samples[2])])

    def context(self) -> dict[str, Any]:
        names, fields = self.names, self.fields
        sorted_by = [field for field in fields if field.kind.order]
        return {
            "package": self.package,
            "plural": names.plural,
            "singular": names.singular,
            "entity": names.entity,
            "collection": names.collection,
            "words": names.words,
            "plural_words": names.plural.replace("_", " "),
            "article": names.article,
            "table": names.plural,
            "tag": names.tag,
            "path": names.path,
            "parameter": f"{{{names.singular}_id}}",
            "code": names.singular.upper(),
            "constant": f"_{names.plural.upper()}",
            "fields": fields,
            "choices": [field for field in fields if field.enum],
            "unique": [field for field in fields if field.unique],
            "errors": [field.error for field in fields if field.unique],
            "members": self.members,
            "examples": self.examples,
            "numbered": any("number" in each.made for each in self.examples),
            "sort_keys": [*(field.name for field in sorted_by), *TIMES],
            "absent_last": [field.name for field in sorted_by if field.optional],
            "filtered": list[FOUND](found for each in self.examples for found in each.found()),
        }


def _dictionary(items: Sequence[tuple[str, str]]) -> str:
    inside = ", ".join(f'"{name}": {value}' for name, value in items)
    return f"{{{inside}}}"
