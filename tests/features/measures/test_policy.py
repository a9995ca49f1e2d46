"""The rules by which tasks are counted, one by one."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from glasswork.features.measures.policy import Change, Period, TaskRow, compute, spread_of, steps_of
from glasswork.features.projects.models import Category

TODO, IN_PROGRESS, DONE = Category
HERE, THERE, NOWHERE = (UUID(int=n) for n in (1, 2, 3))
CATEGORIES = {
    (HERE, "todo"): TODO,
    (HERE, "doing"): IN_PROGRESS,
    (HERE, "done"): DONE,
    (THERE, "doing"): TODO,
}
START = datetime(2026, 3, 2, tzinfo=UTC)
AS_OF = datetime(2026, 4, 1, tzinfo=UTC)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def change(
    at: float, status: str | None, project: UUID | None = None, done_at: float | None = None
) -> Change:
    return Change(hour(at), project, status, None if done_at is None else hour(done_at))


def task(
    category: Category,
    *changes: Change,
    done_at: float | None = None,
    created: float = 0,
    minutes: int | None = None,
) -> TaskRow:
    return TaskRow(
        id=UUID(int=9),
        key="OPS-9",
        category=category,
        created_at=hour(created),
        completed_at=None if done_at is None else hour(done_at),
        estimate_minutes=minutes,
        assignee_id=None,
        is_archived=False,
        changes=changes,
    )


@pytest.mark.parametrize(
    ("row", "steps"),
    [
        pytest.param(task(TODO), [(0, TODO)], id="the log tells nothing"),
        pytest.param(task(DONE, done_at=5), [(0, TODO), (5, DONE)], id="but the task tells when it was done"),
        pytest.param(task(IN_PROGRESS), [(0, TODO), (AS_OF, IN_PROGRESS)], id="nobody tells since when"),
        pytest.param(
            task(DONE, change(0, "todo", HERE), change(2, "doing"), change(6, "done", done_at=6), done_at=6),
            [(0, TODO), (2, IN_PROGRESS), (6, DONE)],
            id="from one to the next",
        ),
        pytest.param(
            task(IN_PROGRESS, change(0, "doing", HERE)), [(0, TODO), (0, IN_PROGRESS)], id="made in progress"
        ),
        pytest.param(
            task(DONE, change(99, "done", HERE, done_at=7), done_at=7),
            [(0, TODO), (7, DONE)],
            id="imported when it was long done",
        ),
        pytest.param(
            task(DONE, change(99, "done", HERE, done_at=-7), done_at=-7),
            [(0, TODO), (0, DONE)],
            id="done before it was made",
        ),
        pytest.param(
            task(TODO, change(0, "todo", HERE), change(2, "review"), change(4, "todo")),
            [(0, TODO)],
            id="a status that is gone changes nothing",
        ),
        pytest.param(
            task(TODO, change(0, "doing", HERE), change(3, None, THERE)),
            [(0, TODO), (0, IN_PROGRESS), (3, TODO)],
            id="moved to where the same key means something else",
        ),
        pytest.param(
            task(
                DONE,
                *(change(0, "todo", HERE), change(1, "done", done_at=1), change(2, "doing")),
                change(5, "done", done_at=5),
                done_at=5,
            ),
            [(0, TODO), (1, DONE), (2, IN_PROGRESS), (5, DONE)],
            id="taken up again",
        ),
    ],
)
def test_a_task_goes_through_categories(row: TaskRow, steps: list[tuple[float | datetime, Category]]) -> None:
    expected = [(at if isinstance(at, datetime) else hour(at), category) for at, category in steps]
    assert steps_of(row, CATEGORIES, AS_OF) == expected


@pytest.mark.parametrize(
    ("count", "p50", "p85", "p95"),
    [(0, None, None, None), (1, 1, 1, 1), (2, 1, 2, 2), (20, 10, 17, 19), (21, 11, 18, 20)],
)
def test_a_percentile_is_the_time_of_a_task(
    count: int, p50: float | None, p85: float | None, p95: float | None
) -> None:
    spread = spread_of([*range(count, 0, -1)])
    assert (spread.count, spread.p50, spread.p85, spread.p95) == (count, p50, p85, p95)


class TestPeriod:
    def test_days_begin_where_they_are(self) -> None:
        period = Period(date(2026, 3, 28), date(2026, 3, 30), "Europe/Berlin", AS_OF)
        moments = ["27T22:59:59", "27T23:00:00", "28T23:00:00", "29T21:59:59", "29T22:00:00", "30T22:00:00"]
        places = [period.place(datetime.fromisoformat(f"2026-03-{each}+00:00")) for each in moments]
        assert places == [-1, 0, 1, 1, 2, 3]  # on the 29th, which has 23 hours, clocks are put forward

    def test_a_day_is_one_whatever_its_length(self) -> None:
        period = Period(date(2026, 3, 29), date(2026, 3, 29), "Europe/Berlin", AS_OF)
        assert period.at(datetime(2026, 3, 29, 10, 30, tzinfo=UTC)) == pytest.approx(0.5)

    @pytest.mark.parametrize(("last", "count"), [(5, 4), (6, 5), (30, 5)])
    def test_days_to_come_are_left_out(self, last: int, count: int) -> None:
        now = datetime(2026, 3, 6, 12, tzinfo=UTC)
        assert len(Period(date(2026, 3, 2), date(2026, 3, last), "UTC", now).days) == count

    def test_that_has_not_begun_has_no_numbers(self) -> None:
        period = Period(date(2026, 5, 1), date(2026, 5, 3), "UTC", AS_OF)
        numbers = compute([task(DONE, done_at=5)], CATEGORIES, {}, period)
        assert (numbers.burn_up, numbers.cumulative_flow, numbers.throughput) == ([], [], [])
        assert numbers.cycle_time.lead.count == 0


def test_what_comes_after_the_snapshot_does_not_count() -> None:
    """As of an import from a source whose clock is ahead."""
    period = Period(date(2026, 3, 2), date(2026, 3, 3), "UTC", hour(12))
    numbers = compute([task(DONE, created=1, done_at=13, minutes=5)], CATEGORIES, {}, period)
    assert [(day.todo, day.done) for day in numbers.cumulative_flow] == [(1, 0)]
    assert numbers.cycle_time.tasks == []
