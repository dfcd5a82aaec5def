"""``analytics-worker reports``: check definitions, store them, make one report, send one again.

Reads the definition file and the database; `sync` writes ops.report_definitions, `run` and `resend`
write what the flows write. Mistakes are named by file and line, and change nothing.
"""

from pathlib import Path
from typing import Annotated

import typer

from analytics_worker.cli.errors import exit_on_error
from analytics_worker.cli.output import echo
from flows.reports.definitions import sync as report_sync
from flows.reports.definitions import yaml_files as report_files
from flows.reports.output.generator import Made
from flows.reports.runs import manual
from flows.reports.runs.delivery import Delivery, described_delivery, send_reports
from flows.reports.tasks import described

reports = typer.Typer(no_args_is_help=True, help="Check, store, make and send reports.")

Folder = Annotated[Path | None, typer.Option("--definitions", help="Folder of reports.yml.")]
Name = Annotated[str, typer.Argument(help="The report's name.")]


@reports.command()
def validate(definitions: Folder = None) -> None:
    """Check the definition file; name every mistake by line."""
    with exit_on_error():
        found = report_files.load(definitions)
    echo(f"{len(found)} reports are fine")


@reports.command()
def diff(definitions: Folder = None) -> None:
    """Show what `sync` would change."""
    with exit_on_error():
        _show_changes(report_sync.diff(report_files.load(definitions)))


@reports.command()
def sync(definitions: Folder = None) -> None:
    """Store the reports of the definition file; retire those that are gone."""
    with exit_on_error():
        _show_changes(report_sync.sync(report_files.load(definitions)))


def _show_changes(changes: list[report_sync.Change]) -> None:
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
        typer.Option(help="2026-11-22, 2026-W47 or 2026-11; by default the last one."),
    ] = None,
    definitions: Folder = None,
) -> None:
    """Make a report of the file for a period now, and send it, if that was not done before."""
    with exit_on_error():
        report = report_files.find(report_files.load(definitions), name)
        made = manual.run_now(report, period)
        delivery = send_reports([each["run"] for each in made if each["status"] != "skipped"])
    for each in made:
        _show(each)
    _end(delivery, failed=any(each["status"] == "failed" for each in made))


def _show(made: Made) -> None:
    echo(f"run {made['run']}  {made['period']}  {described(made)}")
    for line in [*made.get("files", []), *made.get("notes", [])]:
        echo(f"  {line}")


@reports.command()
def resend(
    run_id: Annotated[int, typer.Argument(metavar="RUN", help="Number of the report run.")],
    failed: Annotated[
        bool, typer.Option("--failed", help="Only to those whom it did not reach.")
    ] = False,
) -> None:
    """Send the stored files of a report run again."""
    with exit_on_error():
        delivery = manual.resend(run_id, failed=failed)
    _end(delivery, failed=False)


def _end(delivery: Delivery, *, failed: bool) -> None:
    echo(described_delivery(delivery))
    if failed or delivery["failed"] or delivery["unheard"]:
        raise typer.Exit(1)
