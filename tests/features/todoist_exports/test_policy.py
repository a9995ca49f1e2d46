from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from glasswork.features.todoist_exports.policy import comment_of, task_of
from glasswork.features.todoist_exports.schemas import Place, TodoistOptions

OPTIONS = TodoistOptions(time_zone="Europe/Berlin")
BEHIND = Place(file=0, byte=9, row=2, above=("2",))
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("2026-07-19", datetime(2026, 7, 19, 23, 59, tzinfo=BERLIN)),
        ("2026-07-19T09:30:00", datetime(2026, 7, 19, 9, 30, tzinfo=BERLIN)),
        ("2018-06-08T07:02:05.000000Z", datetime(2018, 6, 8, 7, 2, 5, tzinfo=UTC)),
        ("2 Jan 2025", datetime(2025, 1, 2, 23, 59, tzinfo=BERLIN)),
        ("15 March 2026 at 9:30", datetime(2026, 3, 15, 9, 30, tzinfo=BERLIN)),
        ("Sep 15, 2026 16:00", datetime(2026, 9, 15, 16, 0, tzinfo=BERLIN)),
        ("2025-03-31 at 11:00", datetime(2025, 3, 31, 11, 0, tzinfo=BERLIN)),
        ("September 15 2026 at 4pm", datetime(2026, 9, 15, 16, 0, tzinfo=BERLIN)),
        ("Sep 15 2026 12:30 AM", datetime(2026, 9, 15, 0, 30, tzinfo=BERLIN)),
        ("31 Feb 2026", None),
        ("2026-02-31", None),
        ("2 Jan 2025 25:00", None),
        ("2 Foo 2026", None),
        ("15 Mar 09:30", None),
        ("every monday", None),
        ("jährlich", None),
        ("tomorrow", None),
    ],
)
def test_a_date_is_read_or_kept_as_words(words: str, moment: datetime | None) -> None:
    task = task_of({"CONTENT": "x", "DATE": words}, BEHIND, "", OPTIONS)
    assert task.due_at == moment
    assert task.description == ("" if moment else f"Date: {words}")


@pytest.mark.parametrize(
    ("content", "title", "labels"),
    [
        ("Oil the lamp @lamp @at_home", "Oil the lamp", ["lamp", "at_home"]),
        ("@lamp Oil  it", "Oil it", ["lamp"]),
        ("Write to keeper@example.com @ once", "Write to keeper@example.com @ once", []),
        ("@lamp", "@lamp", ["lamp"]),
        ("Öl @Öl @Öl", "Öl", ["Öl"]),
    ],
)
def test_labels_stand_in_the_content(content: str, title: str, labels: list[str]) -> None:
    task = task_of({"CONTENT": content}, BEHIND, "", OPTIONS)
    assert (task.title, task.labels) == (title, labels)


@pytest.mark.parametrize(
    ("cells", "minutes", "description"),
    [
        ({"DURATION": "90", "DURATION_UNIT": "minute"}, 90, ""),
        ({"DURATION": "2", "DURATION_UNIT": "day"}, None, "Duration: 2 day"),
        ({"DURATION": "long"}, None, "Duration: long"),
        ({"DURATION": "None", "DURATION_UNIT": "None"}, None, ""),
        ({"DURATION_UNIT": "minute"}, None, ""),
    ],
)
def test_a_duration_in_minutes_is_an_estimate(
    cells: dict[str, str], minutes: int | None, description: str
) -> None:
    task = task_of({"CONTENT": "x"} | cells, BEHIND, "", OPTIONS)
    assert (task.estimate_minutes, task.description) == (minutes, description)


def test_a_deadline_is_when_it_is_due_and_the_date_when_it_begins() -> None:
    cells = {"CONTENT": "x", "DATE": "2026-07-01", "DEADLINE": "2026-07-19", "TIMEZONE": "UTC"}
    task = task_of(cells, BEHIND, "", OPTIONS)
    assert (task.start_at, task.due_at) == (
        datetime(2026, 7, 1, 23, 59, tzinfo=UTC),
        datetime(2026, 7, 19, 23, 59, tzinfo=UTC),
    )


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "a\0", "x" * 5000])
def test_a_zone_that_is_none_is_not_asked_for(zone: str) -> None:
    task = task_of({"CONTENT": "x", "DATE": "2026-07-19", "TIMEZONE": zone}, BEHIND, "", OPTIONS)
    assert task.due_at == datetime(2026, 7, 19, 23, 59, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (
            'See [[file {"file_name": "a [b].png", "file_url": "https://files.example/a"}]]',
            r"See [a \[b\].png](<https://files.example/a>)",
        ),
        ("[[file {broken]]", "[[file {broken]]"),
        ("[[file {}]]", "[[file {}]]"),
    ],
)
def test_a_file_of_a_note_is_a_link(content: str, body: str) -> None:
    assert comment_of({"CONTENT": content, "AUTHOR": "Evan (17)"}, "3", "2", OPTIONS).body == body


@pytest.mark.parametrize(
    ("indents", "levels"),
    [([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]), ([2, 4, 9], [1, 2, 3])],
)
def test_indented_rows_are_below_one_another(indents: list[int], levels: list[int]) -> None:
    place, found = Place(0, 0, 1), []
    for number, indent in enumerate(indents):
        place = place.below(str(number), indent)
        assert Place.at(place.position) == place
        found.append(len(place.above))
    assert found == levels
