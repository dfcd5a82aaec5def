"""The plan of a flow run: the runs to generate, and the reports that it can't generate.

Reads nothing, writes nothing.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line
from flows.reports.definitions.model import Report

POLL_INTERVAL = timedelta(minutes=5)


@dataclass
class ReportPlan:
    """The runs that a schedule has to generate, and the reports that it can't."""

    runs: list[int] = field(default_factory=list[int])
    waiting: dict[str, str] = field(default_factory=dict[str, str])
    """Reports whose data has not arrived yet, and what is missing."""
    poll_times: list[datetime] = field(default_factory=list[datetime])
    """When to check for that data again."""
    held: dict[str, str] = field(default_factory=dict[str, str])
    """Held runs, by report, key and period, and why they are held."""
    timed_out: list[int] = field(default_factory=list[int])
    """Runs that failed because their data did not arrive in time."""
    invalid: dict[str, str] = field(default_factory=dict[str, str])
    """Reports whose stored definition or calendar is not valid, and why."""

    def extend(self, later: "ReportPlan") -> None:
        """Add what was planned later."""
        self.runs += later.runs
        self.waiting = later.waiting
        self.held = later.held
        self.timed_out += later.timed_out
        self.invalid.update(later.invalid)

    @contextmanager
    def recording_errors_of(self, name: str) -> Generator[None]:
        """Record any error of one report, so that the others are planned; an outage of the database is raised."""
        try:
            yield
        except (SQLAlchemyError, CircuitOpenError):
            raise
        except PermanentError as error:
            self.invalid[name] = one_line(str(error))
        except Exception as error:  # noqa: BLE001  # any other error is this report's own
            self.invalid[name] = one_line(f"{type(error).__name__}: {error}")


def stored_reports(
    rows: Iterable[RowMapping], plan: ReportPlan
) -> Iterator[tuple[Report, RowMapping]]:
    """Yield the stored reports that are valid; record the others."""
    for row in rows:
        try:
            report = Report.model_validate_json(row["definition"])
        except ValidationError as error:
            plan.invalid[row["name"]] = one_line(_invalid_text(error))
        else:
            yield report, row


def _invalid_text(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    return f"the stored definition is out of date, run `reports sync` ({path}: {first['msg']})"
