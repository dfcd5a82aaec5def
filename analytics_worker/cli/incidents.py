"""``analytics-worker incidents``: list and show incidents, acknowledge, assign, snooze and comment them.

Reads and writes ops.incidents and its history.
"""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import RowMapping

from analytics_worker.cli.output import echo, echo_json, print_table
from analytics_worker.cli.shell import Shell
from analytics_worker.definitions.durations import parse_duration
from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.text import counted, one_line, value_line
from flows.alerts.tools.lineage import add_rule_recipients
from flows.monitoring.incidents import commands
from flows.reports.scheduling.lineage import add_report_recipients

incidents = typer.Typer(
    cls=Shell,
    no_args_is_help=True,
    help="List and show incidents; acknowledge, assign, snooze and comment them.",
)

MAX_CAUSE = 38
Id = Annotated[str, typer.Argument(metavar="ID", help="The first characters of the id.")]
By = Annotated[str | None, typer.Option(help="Who does it; default: the user of this system.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@incidents.command("list")
def list_incidents(
    resolved: Annotated[
        str | None, typer.Option(help="Also those resolved in this time, such as 7d.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the open incidents, the critical ones first."""
    since = datetime.now(UTC) - _duration(resolved) if resolved else None
    rows = commands.list_incidents(since)
    if as_json:
        echo_json([_document(row) for row in rows])
    elif rows:
        print_table(_table(rows))
    else:
        echo("no incident is open")


@incidents.command()
def show(id_: Id, as_json: AsJson = False) -> None:
    """Show an incident: what fails, what is affected, who receives that, and its history."""
    row = commands.show_incident(id_)
    recipients = _recipients(row)
    if as_json:
        document = {**_document(row), "recipients": recipients}
        echo_json(document)
        return
    for line in _lines(row, recipients):
        echo(line)


@incidents.command()
def ack(id_: Id, by: By = None) -> None:
    """Acknowledge an incident: only a rise of its severity and its end are notified."""
    echo(f"acknowledged {commands.acknowledge(id_, _actor(by))}")


@incidents.command()
def assign(
    id_: Id,
    who: Annotated[str, typer.Argument(help="An email address, or the name of a channel.")],
    by: By = None,
) -> None:
    """Assign an incident: WHO is notified of it, and of its end."""
    echo(f"assigned {commands.assign(id_, _actor(by), who)} to {who}")


@incidents.command()
def snooze(
    id_: Id,
    until: Annotated[str, typer.Argument(help="A duration such as 2h, or a time in ISO format.")],
    by: By = None,
) -> None:
    """Notify of nothing but the end of an incident until a time; it is notified then if still open."""
    end = _until(until)
    echo(f"snoozed {commands.snooze(id_, _actor(by), end)} until {_time(end)}")


@incidents.command()
def comment(
    id_: Id, text: Annotated[str, typer.Argument(help="The comment.")], by: By = None
) -> None:
    """Add a comment to the history of an incident."""
    echo(f"commented {commands.comment(id_, _actor(by), text)}")


def _actor(by: str | None) -> str:
    return by or getpass.getuser()


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _until(text: str) -> datetime:
    """Return the end of a snooze: a duration from now, or a time; without a zone, in UTC."""
    try:
        end = datetime.fromisoformat(text)
        return end if end.tzinfo else end.replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC) + _duration(text)


def _table(rows: Sequence[RowMapping]) -> Table:
    table = Table("id", "severity", "since (UTC)", "cause", "units", box=None, pad_edge=False)
    for row in rows:
        cause = escape(one_line(row["cause_name"], MAX_CAUSE))
        failing = str(sum(unit["is_failing"] for unit in row["units"]))
        table.add_row(str(row["id"])[:8], _state(row), _time(row["opened_at"]), cause, failing)
    return table


def _state(row: RowMapping) -> str:
    if row["resolved_at"]:
        return "resolved"
    notes = {"ack": row["acknowledged_at"], "flapping": row["flapping_since"]}
    shown = ", ".join(note for note, since in notes.items() if since)
    return f"{row['severity']} ({shown})" if shown else row["severity"]


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _recipients(row: RowMapping) -> list[str]:
    """Return who receives the rules and reports that fail or are affected."""
    failing = [(unit["kind"], unit["name"]) for unit in row["units"] if unit["is_failing"]]
    units = {Node(*each) for each in (*row["affected"], *failing)}
    lineage = Lineage()
    add_rule_recipients(lineage, {unit.name for unit in units if unit.kind == "rule"})
    add_report_recipients(lineage, {unit.name for unit in units if unit.kind == "report"})
    return sorted(node.name for node in lineage.nodes if node.kind == "recipient")


def _lines(row: RowMapping, recipients: Sequence[str]) -> list[str]:
    owner = row["assigned_to"] or row["owner"] or "none"
    facts = {
        "Cause": f"{row['cause_kind']} {value_line(row['cause_name'])}",
        "State": _state(row),
        "Opened": f"{_time(row['opened_at'])} UTC",
        "Opened again": row["reopened_at"] and _reopened_text(row),
        "Resolved": row["resolved_at"] and f"{_time(row['resolved_at'])} UTC",
        "Merged into": row["merged_into"],
        "Owner": value_line(owner),
        "Acknowledged by": row["acknowledged_by"] and value_line(row["acknowledged_by"]),
        "Snoozed until": row["snoozed_until"] and f"{_time(row['snoozed_until'])} UTC",
    }
    return [
        f"Incident {row['id']}",
        *(f"{label}: {value}" for label, value in facts.items() if value),
        "",
        counted(len(row["units"]), "unit"),
        *map(_unit_line, row["units"]),
        *_affected_lines(row, recipients),
        "",
        "History (UTC)",
        *map(_event_line, row["events"]),
    ]


def _reopened_text(row: RowMapping) -> str:
    return f"{counted(row['openings'] - 1, 'time')}, last {_time(row['reopened_at'])} UTC"


def _unit_line(unit: dict[str, Any]) -> str:
    state = "failing" if unit["is_failing"] else "ok"
    message = unit["problems"][0]["message"] if unit["problems"] and unit["is_failing"] else ""
    name = f"{unit['kind']} {value_line(unit['name'])}"
    return f"  {state:<8} {name}{': ' if message else ''}{value_line(message)}"


def _affected_lines(row: RowMapping, recipients: Sequence[str]) -> list[str]:
    names = [f"  {kind} {value_line(name)}" for kind, name in row["affected"]]
    received = [f"  {value_line(each)}" for each in recipients]
    return [
        *(["", "Affected", *names] if names else []),
        *(["", "Recipients of its rules and reports", *received] if received else []),
    ]


def _event_line(event: dict[str, Any]) -> str:
    at = _time(datetime.fromisoformat(event["at"]))
    details = [event["actor"], event["text"]]
    return f"  {at}  {event['kind']}" + "".join(f"  {value_line(each)}" for each in details if each)


def _document(row: RowMapping) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "events" or value}
