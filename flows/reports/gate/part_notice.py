"""Compose the message that parts of a report are held, one for all keys of a period.

Reads settings; writes nothing.
"""

from uuid import uuid5
from zoneinfo import ZoneInfo

from analytics_worker.delivery import Message
from analytics_worker.text import one_line, value_line
from flows.reports.gate.hold_time import due_again
from flows.reports.gate.notice import MAX_REASON
from flows.reports.gate.requirements import instant
from flows.reports.output.message import NAMESPACE
from flows.reports.output.recipients import identity
from flows.reports.runs.model import FOLLOW_UP, HeldPart, ReportRun, period_label
from flows.reports.runs.owner_message import OwnerNotice, owner_message

_OUTRO = (
    "It is sent again with them as soon as their requirements are met, which is checked every 5 minutes; after that"
    " time it is not."
)


def held_parts_messages(run: ReportRun) -> list[Message]:
    """Return the message to the owner of a run that is sent without its held parts; none if it has all."""
    if not run.held_parts or run.kind == FOLLOW_UP:
        return []
    name, until = identity(run.name, run.period, ""), due_again(run)
    reason = value_line("; ".join(_text(each) for each in run.held_parts), MAX_REASON)
    return [
        owner_message(
            run,
            OwnerNotice(
                kind="report_held",
                id=uuid5(NAMESPACE, f"report_parts_held/{name}"),
                identity=f"parts held\0{name}",
                subject=one_line(
                    f"Parts of a report held: {run.report.heading} ({period_label(run)})"
                ),
                facts={
                    "Held": reason,
                    "Until": instant(until, ZoneInfo(run.report.timezone)),
                },
                intro="Your report was sent without the parts whose requirements are not met.",
                outro=[_OUTRO],
                json={
                    "reason": reason,
                    "until": until.isoformat(),
                    "parts": [each.title for each in run.held_parts],
                },
            ),
        )
    ]


def _text(part: HeldPart) -> str:
    return f"{part.title}: {' and '.join(part.unmet)}"
