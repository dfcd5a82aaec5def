"""Try a rule: evaluate it now, from no state, and show what it would say.

Reads what the rule reads. Writes nothing; with `send`, a test notice goes the way of real ones.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.delivery.message import Content, Message
from analytics_worker.delivery.outbox import default_key
from analytics_worker.delivery.routing import ChannelUnavailableError, send_once
from analytics_worker.errors import PermanentError
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.evaluation.queries import read
from flows.alerts.evaluation.samples import NO_KEY, Readings, label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.evaluation.transition import advance
from flows.alerts.notifications.messages import as_test
from flows.alerts.notifications.model import Advance, Health, Notice, worst_first
from flows.alerts.notifications.recipients import recipients
from flows.alerts.notifications.rendering import WORST, render_notice
from flows.alerts.rules.model import Rule

NOTHING = "This is a test; nothing happened."
_BODY = re.compile(r"^(.*<body[^>]*>)?", re.DOTALL)


@dataclass(frozen=True)
class Trial:
    """What a rule came to."""

    rule: Rule
    text: str
    failed: bool
    content: Content


def trial(rule: Rule) -> Trial:
    """Evaluate a rule as if for the first time, and as if its pending period were over."""
    now = datetime.now(UTC)
    try:
        with reader_session(rule.reader) as session:
            found, rows = read(session, rule, now)
    except PermanentError as error:
        notice = Notice("error", "owner", health=Health(str(error), now))
        return Trial(rule, f"ERROR: {error}", failed=True, content=_test(rule, notice, now))
    eager = rule.model_copy(update={"wait": rule.wait * 0, "muted": False})
    after = advance(eager, {}, Health(), found, now)
    notices = after.notices or [
        Notice("firing", states={"": AlertState(now, "firing", rule.highest)})
    ]
    lines = [*_described(rule, found, after, f"{rows} row{'' if rows == 1 else 's'}")]
    if after.notices:
        rendered = render_notice(rule, notices[0], now, "test")
        lines += ["", f"Subject: {rendered.subject}", "", rendered.text.rstrip()]
    return Trial(rule, "\n".join(lines), failed=False, content=_test(rule, notices[0], now))


def _described(rule: Rule, found: Readings, after: Advance, source: str) -> Iterator[str]:
    """What was found, and what that means; of many keys the worst."""
    if not rule.key_columns:
        yield f"{after.status}: {_value(found.get(NO_KEY))} from {source}"
    else:
        yield f"{after.status}: {after.firing} of {len(after.states)} keys fire, from {source}"
        for key, state in worst_first(rule, after.states)[:WORST]:
            yield f"  {label(key):<30} {_value(state.reading):>14}  {state.status}"
        if len(after.states) > WORST:
            yield f"  … and {len(after.states) - WORST:,} more"
    if rule.measure.startswith("change"):
        yield "This rule compares with an earlier reading, which a test has not; backtest replays those."


def _value(reading: float | None) -> str:
    return "no value" if reading is None else number_text(reading)


def _test(rule: Rule, notice: Notice, now: datetime) -> Content:
    rendered = render_notice(rule, notice, now, "test")
    html = _BODY.sub(rf"\g<0><p>{NOTHING}</p>", rendered.html or "", count=1)
    return as_test(rendered, NOTHING, html)


def send(trial: Trial) -> list[str]:
    """Send the test notice to everybody whom the rule would tell; one line each."""
    people = recipients(trial.rule, "readers")
    message = Message("alerts", "test", trial.content, people, id=uuid4())
    lines: list[str] = []
    for to in people:
        whom = to.channel if to.address == to.channel else f"{to.channel} {to.address}"
        try:
            result = send_once(to.channel, message, to, default_key(message.id, to))
            lines.append(f"{whom}: {result.status} {result.detail}".rstrip())
        except (PermanentError, ChannelUnavailableError) as error:
            lines.append(f"{whom}: {error}")
    return lines or ["The rule has no channels, and no default channel is configured."]
