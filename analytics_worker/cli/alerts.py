"""``analytics-worker alerts``: check rules, store them, try them, replay them, silence them.

Reads the definition files and the database; `sync` and `silence` write ops.alert_rules, `test` and
`backtest` write nothing. Mistakes are named by file and line, and change nothing.
"""

import difflib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from analytics_worker.cli.output import echo
from analytics_worker.definitions.durations import format_duration, parse_duration
from analytics_worker.errors import PermanentError
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.rules import silence as rule_silence
from flows.alerts.rules import sync as rule_sync
from flows.alerts.rules import yaml_files
from flows.alerts.rules.model import Rule
from flows.alerts.tools import backtest as rule_backtest
from flows.alerts.tools import dry_run

alerts = typer.Typer(no_args_is_help=True, help="Check, store, try and silence alert rules.")

Folder = Annotated[
    Path | None, typer.Option("--definitions", help="Folder of alerts.yml and thresholds.yml.")
]
Name = Annotated[str, typer.Argument(help="The rule's name.")]


@contextmanager
def _explained() -> Generator[None]:
    """Expected errors as their message, without a traceback."""
    try:
        yield
    except PermanentError as error:
        echo(str(error), err=True)
        raise typer.Exit(1) from None


@alerts.command()
def validate(definitions: Folder = None) -> None:
    """Check both definition files; name every mistake by file and line."""
    with _explained():
        rules = yaml_files.load(definitions)
    echo(f"{len(rules)} rules are fine")


@alerts.command()
def diff(definitions: Folder = None) -> None:
    """Show what `sync` would change."""
    with _explained():
        _show_changes(rule_sync.diff(yaml_files.load(definitions)))


@alerts.command()
def sync(definitions: Folder = None) -> None:
    """Store the rules of the definition files; retire those that are gone."""
    with _explained():
        _show_changes(rule_sync.sync(yaml_files.load(definitions)))


def _show_changes(changes: list[rule_sync.Change]) -> None:
    for change in changes:
        echo(f"{change.action:<8} {change.kind} {change.name}")
        for field, (before, after) in change.fields.items():
            for line in _field_change(field, before, after):
                echo(f"         {line}")
    if not changes:
        echo("nothing to change")


def _field_change(field: str, before: object, after: object) -> list[str]:
    """In one line, or as a diff if it is text of several."""
    old, new = (value.splitlines() if isinstance(value, str) else [] for value in (before, after))
    if max(len(old), len(new)) > 1:
        return [f"{field}:", *list(difflib.unified_diff(old, new, lineterm="", n=1))[3:]]
    shown = ("(none)" if value is None else str(value) for value in (before, after))
    return [f"{field}: {' → '.join(shown)}"]


@alerts.command("test")
def try_rule(
    name: Name,
    definitions: Folder = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send a test notice to the rule's channels, too.")
    ] = False,
) -> None:
    """Evaluate a rule of the files now, without changing its state; show what it would say."""
    with _explained():
        trial = dry_run.trial(_find(name, definitions))
        echo(trial.text)
        for line in dry_run.send(trial) if send else []:
            echo(line)
    if trial.failed:
        raise typer.Exit(1)


@alerts.command()
def backtest(
    name: Name,
    since: Annotated[str, typer.Option(help="How far back, such as 7d or 12h.")],
    definitions: Folder = None,
) -> None:
    """Show what a rule of the files would have told since then."""
    with _explained():
        rule = _find(name, definitions)
        length = _parsed(parse_duration, since)
        replay = rule_backtest.backtest(rule, datetime.now(UTC) - length)
    if replay.told:
        _show_told(replay.told)
    told, times = len(replay.told), replay.evaluations
    notices = f"{told or 'no'} notice{'' if told == 1 else 's'}"
    echo(f"{notices} in {times} evaluation{'' if times == 1 else 's'}, {replay.source}")


def _show_told(told: list[rule_backtest.Told]) -> None:
    table = Table(
        "when (UTC)", "notice", "severity", "keys", "worst value", box=None, pad_edge=False
    )
    for each in told:
        value = "" if each.value is None else number_text(each.value)
        keys, severity = str(each.keys), each.severity or ""
        table.add_row(f"{each.at:%Y-%m-%d %H:%M}", each.kind, severity, keys, value)
    Console().print(table)


@alerts.command()
def silence(
    name: Name,
    duration: Annotated[
        str, typer.Option("--for", help="How long, such as 2h; 0s ends it.")
    ] = "1h",
    reason: Annotated[str, typer.Option(help="Why, for the others.")] = "",
) -> None:
    """Tell nobody of a rule for a while; its state moves on, and what is still true is told after."""
    with _explained():
        length = _parsed(parse_duration, duration)
        until = rule_silence.silence(name, length, reason)
    if length:
        echo(f"{name} is silent for {format_duration(length)}, until {until:%Y-%m-%d %H:%M} UTC")
    else:
        echo(f"{name} is silent no more")


def _find(name: str, folder: Path | None) -> Rule:
    return yaml_files.find(yaml_files.load(folder), name)


def _parsed(parse: Callable[[Any], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise PermanentError(str(error)) from None
