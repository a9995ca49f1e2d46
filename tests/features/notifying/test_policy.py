from typing import Any
from uuid import UUID

import pytest

from glasswork.features.notifications.models import Kind, Mailing
from glasswork.features.notifications.policy import USUAL, Way, way_of
from glasswork.features.notifying.policy import Happened, is_notable, recipients

ADA, BOB, CAROL = (UUID(int=number) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("before", "after", "notable"),
    [
        (None, {"assignee_id": None, "title": "T"}, False),
        (None, {"assignee_id": str(ADA), "title": "T"}, True),
        (None, {"assignee_id": str(ADA), "external": {"source": "github.com"}}, False),
        (None, {"body": "words", "mentions": [], "external": None}, True),
        (None, {"body": "words", "mentions": [], "external": {"source": "github.com"}}, False),
        ({"position": "a"}, {"position": "b"}, False),
        ({"watcher_ids": []}, {"watcher_ids": [str(ADA)]}, False),
        ({"reactions": []}, {"reactions": [{"reaction": "heart"}]}, False),
        ({"status": "todo", "position": "a"}, {"status": "done", "position": "b"}, True),
        ({"mentions": []}, {"mentions": [str(ADA)]}, True),
        ({"title": "T"}, None, False),
    ],
)
def test_what_is_followed(before: Any, after: Any, notable: bool) -> None:
    assert is_notable(before, after) is notable


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (Happened(ADA, {}, {"assignee_id": str(ADA)}, [ADA], ADA), {}),
        (Happened(ADA, {}, {"mentions": [str(ADA)]}), {}),
        (Happened(ADA, {}, {"title": "T"}, [BOB, ADA]), {BOB: Kind.WATCHED}),
        (Happened(ADA, {}, {"assignee_id": str(BOB)}, [BOB]), {BOB: Kind.ASSIGNED}),
        (Happened(ADA, {}, {"assignee_id": None}, [BOB]), {BOB: Kind.WATCHED}),
        (
            Happened(ADA, {}, {"mentions": [str(BOB)]}, [BOB, CAROL], BOB),
            {BOB: Kind.MENTIONED, CAROL: Kind.WATCHED},
        ),
        (Happened(ADA, {}, {"mentions": []}, [], BOB), {BOB: Kind.REPLIED}),
        (
            Happened(ADA, {"mentions": [str(BOB)]}, {"mentions": [str(BOB), str(CAROL)]}),
            {CAROL: Kind.MENTIONED},
        ),
        (Happened(None, {}, {"assignee_id": str(ADA)}), {ADA: Kind.ASSIGNED}),
    ],
)
def test_who_is_told_and_why(happened: Happened, told: dict[UUID, Kind]) -> None:
    assert recipients(happened) == told


def test_the_nearest_wish_holds() -> None:
    near, far = Way(False, Mailing.NONE), Way(True, Mailing.DAILY)
    assert way_of(Kind.WATCHED, near, far) is near
    assert way_of(Kind.WATCHED, None, far) is far
    assert way_of(Kind.WATCHED, None, None) is USUAL[Kind.WATCHED]


def test_there_is_a_usual_way_for_each_kind() -> None:
    assert USUAL.keys() == set(Kind)
