"""Try a rule: evaluate it now, from no state, and show what it would say.

Reads what the rule reads. Writes nothing; with `send`, a test notice goes the way of real ones.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.errors import PermanentError
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.evaluation.queries import read
from flows.alerts.evaluation.samples import NO_KEY, Readings, label
from flows.alerts.evaluation.state_machine import AlertState
from flows.alerts.evaluation.store import message_id
from flows.alerts.evaluation.transition import advance
from flows.alerts.notifications.channels import send_now
from flows.alerts.notifications.model import Advance, Health, Notice, worst_first
from flows.alerts.notifications.parcel import Parcel
from flows.alerts.notifications.recipients import recipients
from flows.alerts.notifications.rendering import WORST, Message, message
from flows.alerts.rules.model import Rule

NOTHING = "This is a test; nothing happened."
_BODY = re.compile(r"^(.*<body[^>]*>)?", re.DOTALL)


@dataclass(frozen=True)
class Trial:
    """What a rule came to."""

    rule: Rule
    text: str
    failed: bool
    message: Message


def trial(rule: Rule) -> Trial:
    """Evaluate a rule as if for the first time, and as if its pending period were over."""
    now = datetime.now(UTC)
    try:
        with reader_session(rule.reader) as session:
            found, rows = read(session, rule, now)
    except PermanentError as error:
        notice = Notice("error", "owner", health=Health(str(error), now))
        return Trial(rule, f"ERROR: {error}", failed=True, message=_test(rule, notice, now))
    eager = rule.model_copy(update={"wait": rule.wait * 0, "muted": False})
    after = advance(eager, {}, Health(), found, now)
    notices = after.notices or [
        Notice("firing", states={"": AlertState(now, "firing", rule.highest)})
    ]
    lines = [*_described(rule, found, after, f"{rows} row{'' if rows == 1 else 's'}")]
    if after.notices:
        rendered = message(rule, notices[0], now, "test")
        lines += ["", f"Subject: {rendered['subject']}", "", rendered["text"].rstrip()]
    return Trial(rule, "\n".join(lines), failed=False, message=_test(rule, notices[0], now))


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


def _test(rule: Rule, notice: Notice, now: datetime) -> Message:
    rendered = message(rule, notice, now, "test")
    return Message(
        subject=f"[TEST] {rendered['subject']}",
        text=f"{NOTHING}\n\n{rendered['text']}",
        html=_BODY.sub(rf"\g<0><p>{NOTHING}</p>", rendered["html"], count=1),
        json={**rendered["json"], "test": True},
    )


def send(trial: Trial) -> list[str]:
    """Send the test notice to everybody whom the rule would tell; one line each."""
    lines: list[str] = []
    stamp = datetime.now(UTC).isoformat()
    for channel, recipient in recipients(trial.rule, "readers"):
        key = message_id(f"test-{stamp}", channel, recipient)
        content = trial.message
        whom = channel if recipient == channel else f"{channel} {recipient}"
        try:
            outcome = send_now(
                channel,
                Parcel(
                    key=key,
                    recipient=recipient,
                    subject=content["subject"],
                    text=content["text"],
                    html=content["html"],
                    json=content["json"],
                ),
            )
            lines.append(f"{whom}: {outcome.status} {outcome.detail}".rstrip())
        except PermanentError as error:
            lines.append(f"{whom}: {error}")
    return lines or ["the rule has no channels, and there are no default ones"]
