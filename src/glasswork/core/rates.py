"""How often something may be asked for, as an operator writes it: `20/second;1000/hour`."""

from dataclasses import dataclass
from typing import NamedTuple

from limits import parse_many


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests in a window, which begins with the first of them."""

    policy: str
    name: str
    amount: int
    seconds: int


Hit = tuple[Quota, str]
"""A request that counts, and whose it is."""


class Count(NamedTuple):
    number: int
    """Of requests in this window, with this one."""
    seconds_left: float
    """Of the window."""


def parse_rates(policy: str, rates: str) -> tuple[Quota, ...]:
    """Raise ValueError when these are no rates; where there are several, each is named by its window too."""
    message = f"{policy}: must be rates of different windows, such as 20/second;1000/hour"
    try:
        items = parse_many(rates)
    except ValueError as error:
        raise ValueError(message) from error
    if len({item.get_expiry() for item in items}) < len(items) or min(item.amount for item in items) < 1:
        raise ValueError(message)
    return tuple(
        Quota(
            policy,
            f"{policy}-{item.get_expiry()}" if len(items) > 1 else policy,
            item.amount,
            item.get_expiry(),
        )
        for item in items
    )
