"""What a feature and its parts are called, derived from one word."""

import re
from dataclasses import dataclass

from .errors import RefusedError

LONGEST = 30
"""The names of a table's indexes repeat its name, and end at 63 characters."""

_WORDS = re.compile(r"[a-z]+(_[a-z]+)*")
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""))


@dataclass(frozen=True, slots=True)
class Names:
    plural: str
    """`sales_orders`, which the folder and the table are called, too."""
    singular: str

    @classmethod
    def of(cls, plural: str, singular: str | None) -> "Names":
        """Raise RefusedError for what cannot be the name of a feature."""
        for name in (plural,) if singular is None else (plural, singular):
            if not _WORDS.fullmatch(name) or len(name) > LONGEST:
                raise RefusedError(
                    f"{name!r} is no name for a feature: take lower-case letters, words joined by _,"
                    f" at most {LONGEST} characters."
                )
        singular = singular or singular_of(plural)
        if singular is None:
            raise RefusedError(
                f"What is one of {plural!r} called? Give the feature's name in the plural, such as"
                " 'invoices', or say it with --singular."
            )
        if singular == plural:
            raise RefusedError(f"One of {plural!r} needs a name of its own: say another --singular.")
        return cls(plural, singular)

    @property
    def entity(self) -> str:
        return camel(self.singular)

    @property
    def collection(self) -> str:
        return camel(self.plural)

    @property
    def words(self) -> str:
        return self.singular.replace("_", " ")

    @property
    def article(self) -> str:
        return "an" if self.singular[0] in "aeiou" else "a"

    @property
    def tag(self) -> str:
        return self.plural.replace("_", "-")

    @property
    def path(self) -> str:
        return f"/{self.tag}"


def singular_of(plural: str) -> str | None:
    for ending, instead in _ENDINGS:
        if plural.endswith(ending) and not plural.endswith(("ss", "us", "is")):
            return plural.removesuffix(ending) + instead or None
    return None


def camel(name: str) -> str:
    return name.title().replace("_", "")
