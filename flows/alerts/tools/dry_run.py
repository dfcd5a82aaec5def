"""Evaluate a rule now, without a previous state, and show its message.

Reads what the rule reads; writes nothing. `send_test` sends a test message over the rule's channels.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from analytics_worker.completeness.partial_periods import incomplete_since_text
from analytics_worker.database.connections import warehouse
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.delivery.message import Content, Message
from analytics_worker.delivery.outbox import default_key
from analytics_worker.delivery.routing import ChannelUnavailableError, send_once
from analytics_worker.errors import PermanentError
from flows.alerts.evaluation.partial_periods import incomplete_since
from flows.alerts.evaluation.queries import read_samples
from flows.alerts.evaluation.result import EvaluationResult
from flows.alerts.evaluation.samples import NO_KEY, Samples, key_label
from flows.alerts.evaluation.state_machine import AlertState, RuleHealth
from flows.alerts.evaluation.transition import EvaluationOptions, apply_evaluation
from flows.alerts.expected.baseline import Learning
from flows.alerts.expected.history import Expectations, load_expectations_of
from flows.alerts.notifications.expected import range_text
from flows.alerts.notifications.messages import mark_as_test
from flows.alerts.notifications.model import Notification, sort_worst_first
from flows.alerts.notifications.recipients import resolve_recipients
from flows.alerts.notifications.rendering import MAX_LISTED_KEYS, render_notification
from flows.alerts.notifications.values import sample_text
from flows.alerts.rules.model import Rule
from flows.alerts.rules.times import rule_timezone

TEST_NOTE = "This is a test message. No alert is firing."
NO_RECIPIENTS = "The rule has no channels, and no default channel is configured."
_BODY_START = re.compile(r"^(.*<body[^>]*>)?", re.DOTALL)


@dataclass(frozen=True)
class DryRun:
    """Result of a dry run."""

    rule: Rule
    text: str
    failed: bool
    test_content: Content


def dry_run(rule: Rule) -> DryRun:
    """Evaluate a rule as if for the first time, without its pending period."""
    now = datetime.now(UTC)
    try:
        with reader_session(rule.reader) as session:
            samples, rows = read_samples(session, rule, now)
        expectations = load_expectations_of(rule, now)
        result = _evaluate(rule, samples, rows, now, expectations)
    except PermanentError as error:
        failure = Notification("error", "owner", health=RuleHealth(str(error), now))
        content = _test_content(rule, failure, now)
        return DryRun(rule, f"ERROR: {error}", failed=True, test_content=content)
    lines = [*_result_lines(rule, samples, result, f"{rows} row{'' if rows == 1 else 's'}")]
    lines += _incomplete_lines(rule, now)
    if expectations:
        lines += _expected_lines(expectations, result)
    if result.notifications:
        lines += _message_lines(rule, result.notifications[0], now)
    example = Notification(
        "firing", states={NO_KEY: AlertState(now, "firing", rule.highest_severity)}
    )
    content = _test_content(rule, next(iter(result.notifications), example), now)
    return DryRun(rule, "\n".join(lines), failed=False, test_content=content)


def _evaluate(
    rule: Rule, samples: Samples, rows: int, now: datetime, expectations: Expectations | None
) -> EvaluationResult:
    immediate = rule.model_copy(update={"pending_period": rule.pending_period * 0, "muted": False})
    options = EvaluationOptions(rows=rows, expectations=expectations)
    return apply_evaluation(immediate, {}, RuleHealth(), samples, now, options)


def _expected_lines(expectations: Expectations, result: EvaluationResult) -> Iterator[str]:
    """Describe what is expected of the values; of many keys only of the worst."""
    rule = expectations.rule
    for key, _ in sort_worst_first(rule, result.states)[:MAX_LISTED_KEYS]:
        found = expectations.of(key)
        is_learned = not isinstance(found, Learning)
        text = (
            f"expected {range_text(rule, found)}, from {found.samples} samples"
            if is_learned
            else found.text
        )
        yield f"  {key_label(key)}: {text}" if key else text


def _result_lines(
    rule: Rule, samples: Samples, result: EvaluationResult, source: str
) -> Iterator[str]:
    """Describe samples and status; of many keys only the worst."""
    if not rule.key_columns:
        yield f"{result.status}: {_sample_text(rule, samples.get(NO_KEY))} from {source}"
    else:
        yield f"{result.status}: {result.firing} of {len(result.states)} keys fire, from {source}"
        for key, state in sort_worst_first(rule, result.states)[:MAX_LISTED_KEYS]:
            yield f"  {key_label(key):<30} {_sample_text(rule, state.sample):>14}  {state.status}"
        if len(result.states) > MAX_LISTED_KEYS:
            yield f"  … and {len(result.states) - MAX_LISTED_KEYS:,} more"
    if rule.measure.startswith("change"):
        yield "This rule compares with an earlier sample, which a dry run does not have; use backtest."


def _incomplete_lines(rule: Rule, now: datetime) -> list[str]:
    """Say that a rule is not evaluated now, because data of its period is missing."""
    if rule.period is None:
        return []
    with warehouse() as connection:
        since = incomplete_since(connection, rule, now)
    if since is None:
        return []
    text = incomplete_since_text(since, rule_timezone(rule))
    return [f"{text}: the rule is not evaluated before it is there"]


def _message_lines(rule: Rule, notification: Notification, now: datetime) -> list[str]:
    content = render_notification(rule, notification, now, "test")
    return ["", f"Subject: {content.subject}", "", content.text.rstrip()]


def _sample_text(rule: Rule, sample: Decimal | None) -> str:
    return "no value" if sample is None else sample_text(rule, sample)


def _test_content(rule: Rule, notification: Notification, now: datetime) -> Content:
    content = render_notification(rule, notification, now, "test")
    html = _BODY_START.sub(rf"\g<0><p>{TEST_NOTE}</p>", content.html or "", count=1)
    return mark_as_test(content, TEST_NOTE, html)


def send_test(run: DryRun) -> list[tuple[str, bool]]:
    """Send the test message to the recipients of the rule; return a line for each, and if it was sent."""
    recipients = resolve_recipients(run.rule, "readers")
    message = Message("alerts", "test", run.test_content, recipients, id=uuid4())
    lines: list[tuple[str, bool]] = []
    for to in recipients:
        label = to.channel if to.address == to.channel else f"{to.channel} {to.address}"
        try:
            result = send_once(to.channel, message, to, default_key(message.id, to))
            line = f"{label}: {result.status} {result.detail}".rstrip()
            lines.append((line, result.status == "sent"))
        except (PermanentError, ChannelUnavailableError) as error:
            lines.append((f"{label}: {error}", False))
    return lines or [(NO_RECIPIENTS, False)]
