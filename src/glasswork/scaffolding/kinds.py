"""What a type of field is in each file of a feature: pieces of source."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto


class Filter(Enum):
    NONE = auto()
    ANY = auto()
    """One of several values."""
    EQUAL = auto()
    WITHIN = auto()
    """From a least to a greatest number, both included."""
    BETWEEN = auto()
    """From one moment on, and before another."""
    MEMBER = auto()
    """Somebody, the caller or nobody."""


@dataclass(frozen=True, slots=True)
class Order:
    """Of a list that is sorted by it: the type of a cursor's value, and what stands in for an absent one."""

    type: str
    least: str
    greatest: str


@dataclass(frozen=True, slots=True)
class Kind:
    python: str
    """In the model; empty where the feature makes it."""
    taken: str
    """In what callers send."""
    ddl: str
    samples: tuple[str, str, str]
    """Values as JSON has them; where the list can be sorted by them, each rises from one to the next."""
    faults: Sequence[str]
    """Values that are refused."""
    asked: str = ""
    """In filters, where it is not what is taken."""
    column: str = ""
    """The column's type where it does not follow from Python's."""
    filter: Filter = Filter.NONE
    order: Order | None = None
    collation: str = ""
    choices: Sequence[str] = ()
    room: int = 0
    """Of text: how many characters."""
    default: Callable[[str], tuple[str, str] | None] = lambda _: None
    """Reads one; returns it in Python and as JSON, or None where it is no value of this kind."""
    is_exact: bool = False
    """Whether answers show it as it is taken, and not as the plain type of Python."""
