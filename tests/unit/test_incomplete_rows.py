"""Which rows of a chart or table are of a time for which data is missing."""

from datetime import UTC, datetime

import pytest

from flows.reports.formats import Column, ColumnKind, FetchedRows
from flows.reports.output.incomplete_rows import incomplete_rows

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
END = datetime(2026, 11, 26, tzinfo=UTC)


def found(
    *values: str | None, kind: ColumnKind = ColumnKind.DATE, timezone: str = "UTC"
) -> list[int] | None:
    """Return the positions of the rows with these values that lack data from noon of the 25th on."""
    columns = (Column("time", kind), Column("n", ColumnKind.INTEGER))
    rows = FetchedRows("T", columns, tuple((value, "1") for value in values))
    positions = incomplete_rows(rows, NOON, END, timezone)
    return None if positions is None else sorted(positions)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-11-23", "2026-11-24", "2026-11-25"], [2]),
        (["2026-11-25", "2026-11-24", "2026-11-23"], [0]),
        (["2026-11-20", "2026-11-23", "2026-11-24"], []),
        (["2026-11-25"], [0]),
        (["2026-11-24", "2026-11-24", "2026-11-25", "2026-11-25"], [2, 3]),
        (["2026-11-09", "2026-11-16", "2026-11-23"], [2]),
        (["2026-09-01", "2026-10-01", "2026-11-01"], [2]),
        (["2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01"], [3]),
        (["2024-01-01", "2025-01-01", "2026-01-01"], [2]),
        (["2026-08-01", "2026-09-01", "2026-10-01"], []),
        (["2026-11-23", "2026-11-24", "9999-12-31"], [2]),
        (["2026-11-01", "9999-12-01"], [0, 1]),
        ([], None),
        (["2026-11-24", None], None),
        (["infinity"], None),
        (["12026-11-24"], None),
        (["0044-03-15 BC"], None),
    ],
)
def test_dates(values: list[str | None], expected: list[int] | None):
    assert found(*values) == expected


def test_hours_with_and_without_time_zone():
    local = ["2026-11-25 12:00:00", "2026-11-25 13:00:00"]
    assert found(*local, kind=ColumnKind.TIMESTAMP) == [0, 1]
    assert found(*local, kind=ColumnKind.TIMESTAMP, timezone="Europe/Berlin") == [1]
    instants = [f"{each}+01" for each in local]
    assert found(*instants, kind=ColumnKind.INSTANT, timezone="Europe/Berlin") == [1]


def test_texts_say_nothing_of_a_time():
    assert found("Nov 26", kind=ColumnKind.TEXT) is None
