"""``analytics-worker reports``: validate and store definitions, generate, resend or compare one report.

Reads the definition file and the database; `sync` writes ops.report_definitions, `run` and `resend`
write what the flows write. Mistakes are listed with file and line; then nothing is changed.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics_worker.cli.output import echo, echo_json, name_unreachable, name_unread
from analytics_worker.cli.shell import Shell
from analytics_worker.text import counted, value_line
from flows.reports.definitions import sync as report_sync
from flows.reports.definitions import yaml_files as report_files
from flows.reports.gate.commands import HeldReport, held_reports
from flows.reports.output.generator import ReportRunResult
from flows.reports.restatement.diff import RunDiff, diff_document, diff_lines, diff_run
from flows.reports.runs import manual
from flows.reports.runs.delivery import DeliverySummary, describe_delivery, send_reports
from flows.reports.runs.model import run_title
from flows.reports.tasks import describe_result

reports = typer.Typer(
    cls=Shell, no_args_is_help=True, help="Validate, store, generate and send reports."
)

Folder = Annotated[Path | None, typer.Option("--definitions", help="Folder of reports.yml.")]
Name = Annotated[str, typer.Argument(help="The report's name.")]


@reports.command()
def validate(definitions: Folder = None) -> None:
    """Validate the definition file; list every mistake with its line."""
    loaded = report_files.load(definitions)
    echo(f"{counted(len(loaded), 'report')} {'is' if len(loaded) == 1 else 'are'} valid")
    name_unread(definitions or report_files.definitions_dir())
    name_unreachable(each.owner for each in loaded.values())


@reports.command()
def diff(
    run_id: Annotated[
        int | None,
        typer.Argument(
            metavar="[RUN]", help="Number of a report run: compare what it sent with now."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison of a run as one JSON document.")
    ] = False,
    definitions: Folder = None,
) -> None:
    """Show what `sync` would change, or what is different from what a report run sent."""
    if run_id is None:
        _show_changes(report_sync.diff(report_files.load(definitions)))
    else:
        _show_diff(diff_run(run_id), as_json=as_json)


def _show_diff(found: RunDiff, *, as_json: bool) -> None:
    """Print a comparison; exit with an error if a part could not be read."""
    if as_json:
        echo_json(diff_document(found))
    else:
        for line in diff_lines(found):
            echo(line)
    if found.comparison.failed:
        raise typer.Exit(1)


@reports.command()
def sync(definitions: Folder = None) -> None:
    """Store the reports of the definition file; retire those that were removed from it."""
    loaded = report_files.load(definitions)
    _show_changes(report_sync.sync(loaded))
    name_unread(definitions or report_files.definitions_dir())
    name_unreachable(each.owner for each in loaded.values())


def _show_changes(changes: list[report_sync.ReportChange]) -> None:
    for change in changes:
        echo(f"{change.action:<8} {change.name}")
        for field, (before, after) in change.fields.items():
            echo(f"           {field}: {before!r} → {after!r}")
    if not changes:
        echo("nothing to change")


@reports.command()
def run(
    name: Name,
    period: Annotated[
        str | None,
        typer.Option(
            help="2026-11-22, 2026-W47, 2026-11, 2026-Q4 or a due time; default: the last one."
        ),
    ] = None,
    so_far: Annotated[
        bool,
        typer.Option(
            "--so-far", help="Generate a preliminary report of a period that is not over."
        ),
    ] = False,
    definitions: Folder = None,
) -> None:
    """Generate and send a report for a period now, unless it was already generated."""
    report = report_files.find(report_files.load(definitions), name)
    results = manual.run_now(report, period, so_far=so_far)
    delivery = send_reports([each["run"] for each in results if each["status"] != "skipped"])
    for result in results:
        _show_result(result)
    _exit_with(delivery, failed=any(result["status"] == "failed" for result in results))


def _show_result(result: ReportRunResult) -> None:
    echo(f"run {result['run']}  {result['period']}  {describe_result(result)}")
    for line in [*result.get("files", []), *result.get("notes", [])]:
        echo(f"  {line}")


@reports.command()
def held(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the reports that are held because what they require does not hold."""
    rows = held_reports()
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        for line in _held_lines(row):
            echo(line)
    if not rows:
        echo("no report is held")


def _held_lines(row: HeldReport) -> list[str]:
    until = row["until"]
    end = f", {row['then']} at {_time(until)}" if until else ""
    title = run_title(row["report"], row["key"], row["period"])
    return [
        f"run {row['run']}  {title}  held since {_time(row['since'])}{end}",
        *(f"  {value_line(reason)}" for reason in row["because"]),
    ]


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@reports.command()
def resend(
    run_id: Annotated[int, typer.Argument(metavar="RUN", help="Number of the report run.")],
    failed: Annotated[
        bool, typer.Option("--failed", help="Only to recipients whose delivery failed.")
    ] = False,
) -> None:
    """Resend the stored files of a report run."""
    delivery = manual.resend(run_id, failed=failed)
    _exit_with(delivery, failed=False)


def _exit_with(delivery: DeliverySummary, *, failed: bool) -> None:
    """Print the deliveries; exit with an error if a report or delivery failed."""
    echo(describe_delivery(delivery))
    if failed or delivery["failed"] or delivery["unheard"]:
        raise typer.Exit(1)
