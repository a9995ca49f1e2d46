from typing import Any

import pytest
from pydantic import ValidationError

from glasswork.features.csv_files.errors import UnknownColumnsError
from glasswork.features.csv_files.policy import delimiter_of, reader_of
from glasswork.features.csv_files.schemas import CsvOptions


def read(column: str, cell: str, **options: Any) -> Any:
    reader = reader_of(["Title", column], CsvOptions.model_validate(options))
    return reader.read(["One", cell], 2)


class TestCells:
    @pytest.mark.parametrize(
        ("column", "cell", "value"),
        [
            ("ID", "A-1", "A-1"),
            ("Number", "42", 42),
            ("number", "OPS-42", 42),
            ("Description", "  a\nb ", "  a\nb "),
            ("Key", "OPS-42", 42),
            ("Status", "In progress", "In progress"),
            ("Priority", "HIGH", "high"),
            ("Labels", "a, b,,a", ["a", "b"]),
            ("Estimate minutes", "90", 90),
            ("Parent", "A-1", "A-1"),
            ("URL", "https://example.com", "https://example.com"),
            ("Author", "Ada", "Ada"),
            ("Assignee", "ada", "ada"),
            ("Description", "'=1+1", "=1+1"),
            ("Description", "'tis", "'tis"),
            ("Description", "''tis", "'tis"),
            ("Description", "'\na", "\na"),
        ],
    )
    def test_say_what_they_are_named_after(self, column: str, cell: str, value: object) -> None:
        name = {"Key": "number"}.get(column, column.lower().replace(" ", "_"))
        assert getattr(read(column, cell), name) == value

    @pytest.mark.parametrize(
        ("column", "cell"),
        [
            ("number", "A"),
            ("number", "0"),
            ("priority", "huge"),
            ("estimate_minutes", "an hour"),
            ("due_at", "tomorrow"),
            ("due_at", "31.02.2026"),
            ("due_at", "2026-13-01"),
            ("due_at", "1.2/2026"),
            ("due_at", "25:00"),
            ("description", "a\0b"),
            ("labels", ",".join(map(str, range(51)))),
        ],
    )
    def test_that_say_nothing_sensible_are_refused(self, column: str, cell: str) -> None:
        with pytest.raises(ValidationError):
            read(column, cell)

    @pytest.mark.parametrize(
        ("cell", "options", "moment"),
        [
            ("2026-03-01", {}, "2026-03-01T23:59:00Z"),
            ("2026-03-01T10:00:00Z", {}, "2026-03-01T10:00:00Z"),
            ("2026-03-01 10:00", {"time_zone": "Europe/Berlin"}, "2026-03-01T09:00:00Z"),
            ("2026-07-01", {"time_zone": "Europe/Berlin"}, "2026-07-01T21:59:00Z"),
            ("2026-07-01T10:00+02:00", {"time_zone": "Asia/Tokyo"}, "2026-07-01T08:00:00Z"),
            ("1.2.2026", {}, "2026-02-01T23:59:00Z"),
            ("01/02/2026 9:30", {"date_order": "mdy"}, "2026-01-02T09:30:00Z"),
            ("01-02-2026T09:30:15", {}, "2026-02-01T09:30:15Z"),
        ],
    )
    def test_dates_are_read_as_they_are_written_there(
        self, cell: str, options: dict[str, str], moment: str
    ) -> None:
        record = read("due_at", cell, **options)
        assert record.model_dump(mode="json")["due_at"] == moment

    def test_a_start_without_a_time_is_the_beginning_of_its_day(self) -> None:
        record = read("start_at", "2026-03-01")
        assert record.model_dump(mode="json")["start_at"] == "2026-03-01T00:00:00Z"

    def test_what_is_empty_or_not_there_is_left_out(self) -> None:
        reader = reader_of(["title", "due_at", "priority"], CsvOptions())
        record = reader.read(["One", " "], 7)
        assert (record.id, record.due_at, record.priority, record.is_done) == ("7", None, "none", False)

    def test_what_was_completed_is_done(self) -> None:
        assert read("completed_at", "2026-03-01").is_done


class TestMapping:
    def test_names_columns_and_what_their_values_stand_for(self) -> None:
        mapping = {
            "title": "Summary",
            "priority": {"column": "Prio", "values": {"P1": "urgent"}},
            "labels": {"column": "Tags", "separator": "; "},
        }
        reader = reader_of(
            ["Prio", "Summary", "Tags", "Title"], CsvOptions.model_validate({"mapping": mapping})
        )
        record = reader.read(["P1", "One", "a; b,c", "Two"], 2)
        assert (record.title, record.priority, record.labels) == ("One", "urgent", ["a", "b,c"])
        assert reader.read(["low", "One", ""], 2).priority == "low"

    def test_of_columns_that_are_not_there_is_refused(self) -> None:
        mapping = {"title": "Summary", "status": "State", "id": "Key"}
        with pytest.raises(UnknownColumnsError) as refusal:
            reader_of(["Key", "Name"], CsvOptions.model_validate({"mapping": mapping}))
        assert refusal.value.message == "The file has no column Summary, State; it has Key, Name."

    def test_of_two_columns_with_one_name_the_first_counts(self) -> None:
        assert reader_of(["title", "title"], CsvOptions()).read(["One", "Two"], 2).title == "One"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_is_there_most_often(delimiter: str) -> None:
    assert delimiter_of(delimiter.join(["title", "due", "a-b"]).encode()) == delimiter
