"""``analytics-worker promises``: show by when reports and relations are promised, and whether they were there.

Reads ops.promises and ops.promise_attainment; writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import RowMapping

from analytics_worker.cli.output import echo, echo_json, print_table
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.text import one_line, value_line

MAX_NAME = 60


def promises(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the promises: how they stand, and on how many days of this month and the last they were kept."""
    with warehouse() as connection:
        rows = run_sql(connection, "monitoring/show_promises")
    if as_json:
        echo_json([dict(row) for row in rows])
    elif rows:
        print_table(_table(rows))
        for row in filter(lambda each: each["message"], rows):
            echo(f"{value_line(row['promise'], MAX_NAME)}: {value_line(row['message'])}")
    else:
        echo("no report of reports.yml and no relation of trust.yml has a promise")


def _table(rows: Sequence[RowMapping]) -> Table:
    names = ("promise", "by", "state", "day", "arrived", "expected", "kept")
    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        zone = ZoneInfo(row["timezone"])
        table.add_row(
            escape(one_line(row["promise"], MAX_NAME)),
            _by(row),
            row["state"],
            str(row["day"] or ""),
            _time(row["arrived_at"], zone),
            "" if row["arrived_at"] else _time(row["expected_at"], zone),
            ", ".join(map(_month, row["months"])),
        )
    return table


def _by(row: RowMapping) -> str:
    days = row["definition"].get("weekdays")
    listed = ", ".join(days) if isinstance(days, list) else days
    text = f"{row['definition']['by'][:5]} {row['timezone']}"
    return f"{text} ({listed})" if listed else text


def _time(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}" if at else ""


def _month(month: dict[str, Any]) -> str:
    return f"{month['month']}: {month['kept']}/{month['promised']}"
