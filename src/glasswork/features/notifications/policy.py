"""How people are told."""

from collections.abc import Mapping
from dataclasses import dataclass

from .models import Kind, Mailing


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody is told."""

    in_app: bool
    mail: Mailing


USUAL: Mapping[Kind, Way] = {
    Kind.MENTIONED: Way(True, Mailing.AT_ONCE),
    Kind.ASSIGNED: Way(True, Mailing.AT_ONCE),
    Kind.REPLIED: Way(True, Mailing.AT_ONCE),
    Kind.DUE_SOON: Way(True, Mailing.DAILY),
    Kind.INVITED: Way(True, Mailing.NONE),  # the invitation itself is a letter
    Kind.WATCHED: Way(True, Mailing.DAILY),
}
"""For who has said nothing else."""


def way_of(kind: Kind, in_project: Way | None, everywhere: Way | None) -> Way:
    return in_project or everywhere or USUAL[kind]
