"""Compose the message that a report is held, one for all keys of a period.

Reads settings; writes nothing.
"""

import shlex
from datetime import datetime
from uuid import uuid5
from zoneinfo import ZoneInfo

from analytics_worker.delivery import Message
from analytics_worker.text import one_line, value_line
from flows.reports.gate.requirements import instant
from flows.reports.output.message import NAMESPACE
from flows.reports.output.recipients import identity
from flows.reports.runs.model import ReportRun, period_label
from flows.reports.runs.owner_message import OwnerNotice, owner_message

MAX_REASON = 2000


def held_message(run: ReportRun, reason: str, until: datetime) -> Message:
    """Compose the message to the owner of a run that is held now."""
    name = identity(run.name, run.period, "")
    label = period_label(run)
    end = instant(until, ZoneInfo(run.report.timezone))
    return owner_message(
        run,
        OwnerNotice(
            kind="report_held",
            id=uuid5(NAMESPACE, f"report_held/{name}"),
            identity=f"held\0{name}",
            subject=one_line(f"Report held: {run.report.heading} ({label})"),
            facts={"Because": value_line(reason, MAX_REASON), "Until": end},
            intro="Your report is held and was not sent.",
            outro=_outro(run),
            json={"reason": value_line(reason, MAX_REASON), "until": until.isoformat()},
        ),
    )


def _outro(run: ReportRun) -> list[str]:
    requires = run.report.requires
    end = (
        "marked unverified" if requires and requires.latest else "not at all, and you are notified"
    )
    command = f"analytics-worker reports run {shlex.quote(run.report.name)} --period {run.period}"
    text = (
        "It is sent as soon as what it requires holds, which is checked every 5 minutes; if it does not hold"
        f" until then, it is sent {end}. To send it now, marked unverified, run"
    )
    return [text, command]
