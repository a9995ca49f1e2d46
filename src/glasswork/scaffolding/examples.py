"""The values that a feature's tests send: pieces of source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .fields import Field
from .kinds import Filter

DIGITS = 7
"""So many has the number that a factory gives to what it makes, at most."""
MARK_ROOM = 9
"""Of the longest mark that the contract tests put into names, and a space."""

FOUND = tuple[str, Sequence[int]]
"""A query, and which of the three samples it finds."""


@dataclass(frozen=True, slots=True)
class Example:
    field: Field

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def samples(self) -> Sequence[str]:
        return self.field.kind.samples

    @property
    def faults(self) -> Sequence[str]:
        return self.field.kind.faults if self.field.optional else (*self.field.kind.faults, "None")

    @property
    def same(self) -> str:
        """The values that the first sample leaves no place for."""
        first = self.samples[0]
        if not self.field.has_no_case:
            return f"[{first}]"
        return f"[{first}, {first.upper()}, {first.lower()}]"

    @property
    def made(self) -> str:
        """What the factory sends, each time another value where it must be."""
        field, label = self.field, self.field.words.capitalize()
        if field.kind.room >= len(label) + 1 + DIGITS:
            return f'f"{label} {{number}}"'
        if not field.unique:
            return self.samples[0]
        if field.kind.room:
            return "str(number)"
        return f'f"{self.samples[0][1:-2]}{{number}}"' if field.python == "str" else "1_000 + number"

    @property
    def is_needed(self) -> bool:
        return not self.field.optional and self.field.default is None

    @property
    def is_marked(self) -> bool:
        """Whether it has room for the mark by which contract tests find what must not be shown."""
        return self.field.kind.room >= MARK_ROOM + len(self.name)

    @property
    def marked(self) -> str:
        return f'f"{{mark}} {self.field.words}"'

    def found(self) -> Iterator[FOUND]:
        """Yield what its filters find."""
        names = [each.name for each in self.field.filters]
        first, second, last = self.samples
        match self.field.kind.filter:
            case Filter.ANY:
                yield f'{{"{names[0]}": {first}}}', self._equal(first)
                yield f'{{"{names[0]}": [{first}, {last}]}}', self._equal(first, last)
            case Filter.EQUAL:
                yield f'{{"{names[0]}": {last}}}', self._equal(last)
            case Filter.WITHIN:
                yield f'{{"{names[0]}": {second}}}', (1, 2)
                yield f'{{"{names[1]}": {second}}}', (0, 1)
            case Filter.BETWEEN:
                yield f'{{"{names[0]}": {second}}}', (1, 2)
                yield f'{{"{names[1]}": {second}}}', (0,)
            case _:
                return

    def _equal(self, *values: str) -> Sequence[int]:
        return [number for number, sample in enumerate(self.samples) if sample in values]
