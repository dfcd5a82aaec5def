"""``analytics-worker alerts``: validate, store, test, backtest and silence rules, and show their states.

Reads the definition files and the database. `sync` writes ops.alert_rules; `silence` writes
ops.alert_silences and cancels waiting messages that match; the others write nothing. Mistakes are reported
by file and line, and nothing is stored.
"""

import difflib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.markup import escape
from rich.table import Table

from analytics_worker.cli.output import echo, name_unreachable, name_unread, print_table
from analytics_worker.cli.shell import Shell
from analytics_worker.definitions.durations import format_duration, parse_duration
from analytics_worker.errors import PermanentError
from analytics_worker.text import counted
from flows.alerts.evaluation.held_messages import cancel_silenced
from flows.alerts.notifications.values import value_text
from flows.alerts.rules import silence as rule_silence
from flows.alerts.rules import sync as rule_sync
from flows.alerts.rules import yaml_files
from flows.alerts.rules.model import Rule, Severity
from flows.alerts.tools import backtest as rule_backtest
from flows.alerts.tools.dry_run import dry_run, send_test
from flows.alerts.tools.states import shown_states

alerts = typer.Typer(
    cls=Shell,
    no_args_is_help=True,
    help="Validate, store, test and silence alert rules, and show their states.",
)

Folder = Annotated[
    Path | None, typer.Option("--definitions", help="Folder of alerts.yml and thresholds.yml.")
]
Name = Annotated[str, typer.Argument(help="Name of the rule.")]


@alerts.command()
def validate(definitions: Folder = None) -> None:
    """Validate both definition files; report every mistake by file and line."""
    rules = yaml_files.load(definitions)
    echo(f"{counted(len(rules), 'rule')} {'is' if len(rules) == 1 else 'are'} valid")
    name_unread(definitions or yaml_files.definitions_dir())
    name_unreachable(rule.owner for rule in rules.values())


@alerts.command()
def diff(definitions: Folder = None) -> None:
    """Show what `sync` would change."""
    _show_changes(rule_sync.diff(yaml_files.load(definitions)))


@alerts.command()
def sync(definitions: Folder = None) -> None:
    """Store the rules of the definition files; retire removed rules."""
    rules = yaml_files.load(definitions)
    _show_changes(rule_sync.sync(rules))
    name_unread(definitions or yaml_files.definitions_dir())
    name_unreachable(rule.owner for rule in rules.values())


def _show_changes(changes: list[rule_sync.RuleChange]) -> None:
    for change in changes:
        echo(f"{change.action:<8} {change.kind} {change.name}")
        for field, (before, after) in change.fields.items():
            for line in _field_change(field, before, after):
                echo(f"         {line}")
    if not changes:
        echo("nothing to change")


def _field_change(field: str, before: object, after: object) -> list[str]:
    """Describe a changed field in one line, or multi-line text as a diff."""
    old, new = (value.splitlines() if isinstance(value, str) else [] for value in (before, after))
    if max(len(old), len(new)) > 1:
        return [f"{field}:", *list(difflib.unified_diff(old, new, lineterm="", n=1))[3:]]
    values = ("(none)" if value is None else str(value) for value in (before, after))
    return [f"{field}: {' → '.join(values)}"]


@alerts.command("test")
def evaluate_rule(
    name: Name,
    definitions: Folder = None,
    send: Annotated[
        bool, typer.Option("--send", help="Also send a test message to the channels of the rule.")
    ] = False,
) -> None:
    """Evaluate a rule of the files now and show its message; its state does not change."""
    result = dry_run(_find_rule(name, definitions))
    echo(result.text)
    sent = send_test(result) if send else []
    for line, _ in sent:
        echo(line)
    if result.failed or not all(is_sent for _, is_sent in sent):
        raise typer.Exit(1)


@alerts.command()
def backtest(
    name: Name,
    since: Annotated[str, typer.Option(help="Start of the replay before now, such as 7d or 12h.")],
    definitions: Folder = None,
) -> None:
    """Show the notifications that a rule of the files would have caused since then."""
    rule = _find_rule(name, definitions)
    duration = _parse_duration(since)
    replay = rule_backtest.backtest(rule, datetime.now(UTC) - duration)
    if replay.notifications:
        _show_notifications(rule, replay.notifications)
    notifications = _counted(len(replay.notifications), "notification")
    learning = f" ({replay.learning:,} learning)" if replay.learning else ""
    evaluations = f"{_counted(replay.evaluations, 'evaluation')}{learning}"
    echo(f"{notifications} in {evaluations}, {replay.source}")


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _show_notifications(
    rule: Rule, notifications: list[rule_backtest.ReplayedNotification]
) -> None:
    columns = ["when (UTC)", "notification", "severity", "keys", "worst value"]
    columns += ["expected"] if rule.expected else []
    table = Table(*columns, box=None, pad_edge=False)
    for each in notifications:
        value = "" if each.value is None else value_text(rule, each.value)
        keys, severity = str(each.keys), each.severity or ""
        row = [f"{each.at:%Y-%m-%d %H:%M}", each.kind, severity, keys, value]
        table.add_row(*row, *([each.expected or ""] if rule.expected else []))
    print_table(table)


@alerts.command()
def silence(  # one argument for each option
    name: Annotated[
        str | None, typer.Argument(help="Name of the rule; without it, all rules.")
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", help="Duration, such as 2h; 0s ends the silence.")
    ] = "1h",
    reason: Annotated[str, typer.Option(help="Why; stored with the silence.")] = "",
    key: Annotated[
        list[str] | None,
        typer.Option(help="Only keys with this value; repeat for several columns."),
    ] = None,
    severity: Annotated[
        str | None, typer.Option(help="Only alerts that are warning or critical.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only rules of this owner.")] = None,
) -> None:
    """Mute the notifications of a rule, or of the alerts that match all options, for a while.

    Their states are still updated. An alert that is still firing when the silence ends is notified then.
    """
    matcher = _matcher(name, owner, severity, tuple(key or ()))
    length = _parse_duration(duration)
    result = rule_silence.silence(matcher, length, reason)
    if length:
        until = _utc(result.until)
        echo(f"{matcher.label} is silenced for {format_duration(length)}, until {until}")
        if result.missing_keys:
            echo(f"only alerts that appear later match: {result.missing_keys}", err=True)
        if count := cancel_silenced():
            echo(
                f"{_counted(count, 'message')} not sent yet {'is' if count == 1 else 'are'} held back"
            )
    else:
        _show_end_of_silence(matcher, result)


def _show_end_of_silence(matcher: rule_silence.Matcher, result: rule_silence.SilenceResult) -> None:
    if result.has_ended:
        echo(f"{matcher.label} is no longer silenced")
    else:
        echo(f"there is no silence of {matcher.label}")
    for other, until in result.others:
        echo(f"still silenced: {other.label}, until {_utc(until)}")


def _utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@alerts.command()
def status() -> None:
    """Show the states of all alerts, the most urgent first, and which are silenced or muted."""
    states = shown_states(with_learning=True)
    if states.rows:
        table = Table(*states.rows[0], box=None, pad_edge=False)
        for row in states.rows:
            table.add_row(*map(escape, row.values()))
        print_table(table)
    echo(states.total)


def _matcher(
    name: str | None, owner: str | None, severity: str | None, keys: tuple[str, ...]
) -> rule_silence.Matcher:
    if severity not in {None, "warning", "critical"}:
        raise PermanentError(f"severity: {severity!r} is not valid; expected warning or critical")
    if "" in keys:
        raise PermanentError("key: '' matches nothing; expected a value of a key")
    matcher = rule_silence.Matcher(name, owner, cast("Severity | None", severity), keys)
    if matcher == rule_silence.Matcher():
        raise PermanentError("name a rule, or give --owner, --severity or --key")
    return matcher


def _find_rule(name: str, folder: Path | None) -> Rule:
    return yaml_files.find(yaml_files.load(folder), name)


def _parse_duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise PermanentError(str(error)) from None
