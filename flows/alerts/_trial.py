"""Try a rule: evaluate it now, from no state, and show what it would say.

Reads what the rule reads. Writes nothing; with `send`, a test notice goes the way of real ones.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.alerts._advance import Failure, advance
from flows.alerts._channels import send_now
from flows.alerts._message import Message, message
from flows.alerts._notice import Health, Notice
from flows.alerts._parcel import Parcel
from flows.alerts._query import read
from flows.alerts._reading import Readings
from flows.alerts._recipients import recipients
from flows.alerts._rule import Rule
from flows.alerts._state import AlertState
from flows.alerts._store import message_id
from toolkit.errors import PermanentError
from toolkit.user_sql import reader_session

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
        with reader_session() as session:
            found, rows = read(session, rule, now)
    except PermanentError as error:
        notice = Notice("error", "owner", health=Health(str(error), now))
        return Trial(rule, f"ERROR: {error}", failed=True, message=_test(rule, notice, now))
    eager = rule.model_copy(update={"wait": rule.wait * 0, "muted": False})
    after = advance(eager, {}, Health(), found, now)
    notices = after.notices or [
        Notice("firing", states={"": AlertState(now, "firing", rule.highest)})
    ]
    lines = [f"{after.status}: {_described(found)} from {rows} row{'' if rows == 1 else 's'}"]
    lines += [f"{after.firing} of {len(after.states)} keys fire"] if rule.key_columns else []
    rendered = message(rule, notices[0], now, "test")
    lines += ["", rendered["subject"], "", rendered["text"]] if after.notices else []
    return Trial(rule, "\n".join(lines), failed=False, message=_test(rule, notices[0], now))


def _described(found: Readings | Failure) -> str:
    if isinstance(found, Failure) or not found:
        return "no value"
    values = [value for value in found.values() if value is not None]
    return ", ".join(f"{value:g}" for value in values[:5]) or "no value"


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
            lines.append(f"{channel} {recipient}: {outcome.status} {outcome.detail}".rstrip())
        except PermanentError as error:
            lines.append(f"{channel} {recipient}: {error}")
    return lines or ["the rule has no channels, and there are no default ones"]
