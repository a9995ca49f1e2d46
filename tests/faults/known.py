"""What the writers know of: the ids that answers named."""

from collections import defaultdict, deque
from dataclasses import dataclass
from random import Random

Ids = dict[str, str]

HOT = 6
RECENT = 60


@dataclass(eq=False)
class Thing:
    kind: str
    ids: Ids
    """What it is and where it lies: {"workspace": id, "project": id, "task": id}."""
    version: int | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(sorted(self.ids.values()))


class Known:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._living: dict[str, dict[tuple[str, ...], Thing]] = defaultdict(dict)
        self._gone: dict[str, deque[Thing]] = defaultdict(lambda: deque(maxlen=RECENT))
        self._insiders: set[tuple[str, str]] = set()
        self.shared: set[str] = set()
        """Ids of what all writers use: nobody deletes it, or takes it from another one."""

    def learn(self, ids: Ids, version: int | None, person: str) -> None:
        """`ids` end with the thing's own."""
        thing = Thing(_kind(list(ids)[-1], ids), ids)
        thing = self._living[thing.kind].setdefault(thing.key, thing)
        thing.version = version
        if "workspace" in ids:
            self._insiders.add((ids["workspace"], person))

    def forget(self, thing: Thing) -> None:
        if self._living[thing.kind].pop(thing.key, None):
            self._gone[thing.kind].append(thing)

    def pick(self, kind: str, inside: Ids, person: str, *, spare_shared: bool = False) -> Thing | None:
        """One of a kind that agrees with `inside` and that the person may see: often one of a few."""
        kind = _kind(kind, inside)
        is_gone = self._rng.random() < 1 / 8
        everything = list(self._gone[kind] if is_gone else self._living[kind].values())
        fitting = [
            thing
            for thing in everything[:RECENT] + everything[RECENT:][-RECENT:]
            if all(thing.ids.get(name, id_) == id_ for name, id_ in inside.items())
            and self._may_see(thing, person)
            and not (spare_shared and self.shared.issuperset(thing.ids.values()))
        ]
        if not fitting:
            return None
        return self._rng.choice(fitting[:HOT] if self._rng.random() < 1 / 2 else fitting)

    def _may_see(self, thing: Thing, person: str) -> bool:
        workspace = thing.ids.get("workspace")
        return workspace is None or workspace in self.shared or (workspace, person) in self._insiders


def _kind(kind: str, ids: Ids) -> str:
    """A user in a workspace is a member."""
    return "member" if kind == "user" and "workspace" in ids else kind
