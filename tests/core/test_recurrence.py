from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from glasswork.core.recurrence import InvalidRecurrenceError, Recurrence

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def recur(rule: str, zone: str, anchor: datetime) -> Recurrence:
    recurrence = Recurrence.of(rule, zone, anchor)
    recurrence.check()
    return recurrence


def moments(rule: str, zone: str, anchor: datetime, after: datetime | None = None) -> Iterator[datetime]:
    recurrence = recur(rule, zone, anchor)
    moment = recurrence.next_after(after or anchor)
    while moment is not None:
        yield moment
        moment = recurrence.next_after(moment)


def local_times(rule: str, zone: str, wall: str, count: int) -> list[str]:
    """Those after the first, in the zone, with their offsets."""
    anchor = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = islice(moments(rule, zone, anchor), count)
    return [moment.astimezone(ZoneInfo(zone)).isoformat() for moment in found]


class TestRefusals:
    @pytest.mark.parametrize(
        "rule",
        [
            "",
            "DAILY",
            "INTERVAL=2",
            "FREQ=HOURLY",
            "FREQ=SECONDLY",
            "freq=daily",
            "FREQ=DAILY;BYHOUR=1,2",
            "FREQ=DAILY;FREQ=WEEKLY",
            "FREQ=DAILY;",
            "FREQ=DAILY\nRRULE:FREQ=WEEKLY",
            "RRULE:FREQ=DAILY",
            "DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY",
            "FREQ=DAILY;DTSTART=20260101",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;INTERVAL=1000",
            "FREQ=DAILY;INTERVAL=-1",
            "FREQ=DAILY;INTERVAL=٣",
            "FREQ=DAILY;INTERVAL=1,2",
            "FREQ=DAILY;COUNT=0",
            "FREQ=DAILY;COUNT=2;UNTIL=20270101",
            "FREQ=DAILY;UNTIL=20260230",
            "FREQ=DAILY;UNTIL=2026-12-31",
            "FREQ=DAILY;UNTIL=20261231T000000",
            "FREQ=DAILY;BYDAY=1MO",
            "FREQ=DAILY;BYSETPOS=1",
            "FREQ=WEEKLY;BYMONTHDAY=1",
            "FREQ=WEEKLY;BYDAY=MONDAY",
            "FREQ=WEEKLY;BYDAY=",
            "FREQ=WEEKLY;WKST=1MO",
            "FREQ=MONTHLY;BYDAY=0MO",
            "FREQ=MONTHLY;BYDAY=6MO",
            "FREQ=MONTHLY;BYDAY=MO,1TU",
            "FREQ=MONTHLY;BYMONTHDAY=0",
            "FREQ=MONTHLY;BYMONTHDAY=32",
            "FREQ=YEARLY;BYDAY=54MO",
            "FREQ=YEARLY;BYMONTH=1;BYDAY=6MO",
            "FREQ=YEARLY;BYMONTH=13",
            "FREQ=YEARLY;BYYEARDAY=1",
            "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 100),
        ],
    )
    def test_what_the_grammar_does_not_have(self, rule: str) -> None:
        with pytest.raises(InvalidRecurrenceError, match="allowed is one rule such as") as refusal:
            recur(rule, "UTC", MONDAY)
        assert refusal.value.field == "rule"

    @pytest.mark.parametrize(
        "rule",
        [
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
            "FREQ=MONTHLY;INTERVAL=12;BYMONTH=4",
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
            "FREQ=DAILY;COUNT=1",
            "FREQ=DAILY;UNTIL=20260302",
        ],
    )
    def test_what_never_comes(self, rule: str) -> None:
        with pytest.raises(InvalidRecurrenceError, match="names no day after the first"):
            recur(rule, "UTC", MONDAY)

    @pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "europe/berlin", "Europe", "\0"])
    def test_unknown_zones(self, zone: str) -> None:
        with pytest.raises(InvalidRecurrenceError, match="IANA") as refusal:
            recur("FREQ=DAILY", zone, MONDAY)
        assert refusal.value.field == "time_zone"


class TestDays:
    @pytest.mark.parametrize(
        ("rule", "days"),
        [
            ("FREQ=DAILY;INTERVAL=3", ["03-05", "03-08"]),
            ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", ["03-03", "03-04", "03-05", "03-06", "03-09"]),
            ("FREQ=DAILY;INTERVAL=2;BYMONTH=3;COUNT=3", ["03-04", "03-06"]),
            ("FREQ=WEEKLY", ["03-09", "03-16"]),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU", ["03-03", "03-08", "03-17", "03-22", "03-31"]),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", ["03-03", "03-15", "03-17"]),
            ("FREQ=MONTHLY", ["04-02", "05-02"]),
            ("FREQ=MONTHLY;BYMONTHDAY=31", ["03-31", "05-31", "07-31"]),
            ("FREQ=MONTHLY;BYMONTHDAY=-1", ["03-31", "04-30"]),
            ("FREQ=MONTHLY;BYDAY=-1FR", ["03-27", "04-24"]),
            ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["03-31", "04-30", "05-29"]),
            ("FREQ=YEARLY;BYMONTH=6", ["06-02"]),
            ("FREQ=DAILY;UNTIL=20260304", ["03-03", "03-04"]),
            ("FREQ=DAILY;UNTIL=20260304T075959Z", ["03-03"]),
        ],
    )
    def test_are_those_that_the_rule_names(self, rule: str, days: list[str]) -> None:
        found = islice(moments(rule, "UTC", MONDAY), len(days))
        assert [f"{moment:%m-%d}" for moment in found] == days

    def test_end_with_the_count(self) -> None:
        assert len(list(moments("FREQ=DAILY;COUNT=5", "UTC", MONDAY))) == 4

    def test_that_are_missed_count_too(self) -> None:
        recurrence = recur("FREQ=DAILY;COUNT=5", "UTC", MONDAY)
        assert recurrence.next_after(MONDAY + timedelta(days=3)) == MONDAY + timedelta(days=4)
        assert recurrence.next_after(MONDAY + timedelta(days=4)) is None

    def test_stay_in_phase_long_after(self) -> None:
        recurrence = recur("FREQ=WEEKLY;INTERVAL=2", "UTC", MONDAY)
        assert recurrence.next_after(MONDAY + timedelta(weeks=1001)) == MONDAY + timedelta(weeks=1002)
        assert recur("FREQ=YEARLY;INTERVAL=3", "UTC", MONDAY).next_after(
            datetime(2999, 1, 1, tzinfo=UTC)
        ) == datetime(3001, 3, 2, 8, tzinfo=UTC)

    def test_end_with_the_calendar(self) -> None:
        anchor = datetime(9000, 12, 30, 9, tzinfo=UTC)
        assert len(list(moments("FREQ=DAILY", "UTC", anchor))) == 1


class TestWallTime:
    @pytest.mark.parametrize(
        ("zone", "wall", "expected"),
        [
            # Forward and back; the offsets tell.
            ("Europe/Berlin", "2026-03-28T09:00", ["2026-03-29T09:00:00+02:00"]),
            ("Europe/Berlin", "2026-10-24T09:00", ["2026-10-25T09:00:00+01:00"]),
            ("America/New_York", "2026-03-07T09:00", ["2026-03-08T09:00:00-04:00"]),
            ("America/New_York", "2026-10-31T09:00", ["2026-11-01T09:00:00-05:00"]),
            ("Australia/Lord_Howe", "2026-10-03T09:00", ["2026-10-04T09:00:00+11:00"]),
            ("Australia/Lord_Howe", "2026-04-04T09:00", ["2026-04-05T09:00:00+10:30"]),
            ("Asia/Kolkata", "2026-03-28T09:00", ["2026-03-29T09:00:00+05:30"]),
        ],
    )
    def test_stays(self, zone: str, wall: str, expected: list[str]) -> None:
        assert local_times("FREQ=DAILY", zone, wall, 1) == expected

    @pytest.mark.parametrize(
        ("zone", "wall", "skipped", "then"),
        [
            (
                "Europe/Berlin",
                "2026-03-28T02:30",
                "2026-03-29T03:30:00+02:00",
                "2026-03-30T02:30:00+02:00",
            ),
            (
                "America/New_York",
                "2026-03-07T02:30",
                "2026-03-08T03:30:00-04:00",
                "2026-03-09T02:30:00-04:00",
            ),
            (
                "Australia/Lord_Howe",
                "2026-10-03T02:15",
                "2026-10-04T02:45:00+11:00",
                "2026-10-05T02:15:00+11:00",
            ),
        ],
    )
    def test_that_does_not_exist_is_what_clocks_show_instead(
        self, zone: str, wall: str, skipped: str, then: str
    ) -> None:
        assert local_times("FREQ=DAILY", zone, wall, 2) == [skipped, then]

    @pytest.mark.parametrize(
        ("zone", "wall", "first", "then"),
        [
            (
                "Europe/Berlin",
                "2026-10-24T02:30",
                "2026-10-25T02:30:00+02:00",
                "2026-10-26T02:30:00+01:00",
            ),
            (
                "America/New_York",
                "2026-10-31T01:30",
                "2026-11-01T01:30:00-04:00",
                "2026-11-02T01:30:00-05:00",
            ),
            (
                "Australia/Lord_Howe",
                "2026-04-04T01:45",
                "2026-04-05T01:45:00+11:00",
                "2026-04-06T01:45:00+10:30",
            ),
        ],
    )
    def test_that_exists_twice_is_the_first(self, zone: str, wall: str, first: str, then: str) -> None:
        assert local_times("FREQ=DAILY", zone, wall, 2) == [first, then]

    def test_of_a_start_is_shifted_by_days(self) -> None:
        zone = ZoneInfo("Europe/Berlin")
        recurrence = recur("FREQ=WEEKLY", "Europe/Berlin", MONDAY)
        start, due, next_due = (
            datetime(2026, month, day, hour, tzinfo=zone).astimezone(UTC)
            for month, day, hour in ((3, 23, 8), (3, 25, 9), (4, 1, 9))
        )
        shifted = recurrence.shift(start, due, next_due)
        assert shifted.astimezone(zone).isoformat() == "2026-03-30T08:00:00+02:00"


def lists(*items: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(items), min_size=1, max_size=3, unique=True).map(",".join)


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    long = frequency in {"MONTHLY", "YEARLY"}
    plain, numbered = ("MO", "WE", "FR", "SU"), ("1MO", "-1FR", "2SU", "5TU")
    options = {
        "INTERVAL": st.integers(1, 5).map(str),
        "BYDAY": st.one_of(lists(*plain), lists(*numbered)) if long else lists(*plain),
        "BYMONTH": lists("1", "2", "6", "12"),
        "WKST": st.sampled_from(["MO", "SU"]),
        **({} if frequency == "WEEKLY" else {"BYMONTHDAY": lists("1", "-1", "15", "29")}),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(options)), unique=True, max_size=3))
    end = draw(st.sampled_from(["", ";COUNT=7", ";UNTIL=20300101T000000Z"]))
    parts = "".join(f";{name}={draw(options[name])}" for name in chosen)
    position = f";BYSETPOS={draw(lists('1', '-1', '2'))}" if long and "BYDAY" in chosen else ""
    return f"FREQ={frequency}{parts}{position}{end}"


zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
anchors = st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(rules(), anchors)
@settings(max_examples=100, deadline=None)
def test_the_days_are_dateutils(rule: str, anchor: datetime) -> None:
    """Its own walk, which we do not use since it need not end, agrees over the years that it is sure to."""
    horizon = datetime(2040, 1, 1, tzinfo=UTC)
    anchor = anchor.replace(microsecond=0)  # it knows no parts of a second
    try:
        found = [moment for moment in islice(moments(rule, "UTC", anchor), 40) if moment < horizon]
    except InvalidRecurrenceError:
        found = []
    everything = rrulestr(rule, dtstart=anchor)
    expected = [each for each in islice(everything.xafter(anchor, inc=False), 40) if each < horizon]
    assert found == expected


@given(rules(), zones, anchors, st.timedeltas(timedelta(0), timedelta(days=9999)))
@settings(max_examples=100, deadline=None)
def test_the_next_is_later_and_at_the_same_wall_time(
    rule: str, zone: str, anchor: datetime, later: timedelta
) -> None:
    try:
        recurrence = recur(rule, zone, anchor)
    except InvalidRecurrenceError:
        return
    moment = recurrence.next_after(anchor + later)
    if moment is None:
        return
    assert moment > anchor + later
    wall, expected = (each.astimezone(ZoneInfo(zone)) for each in (moment, anchor))
    is_skipped = wall.replace(fold=0).utcoffset() != (wall - timedelta(hours=2)).utcoffset()
    assert wall.time() == expected.time() or is_skipped
