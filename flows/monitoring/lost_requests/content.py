"""Write the message that a request is given up.

The parameters of the request are not quoted: they may be anything. The message of the state is untrusted: it is one
line here, and each channel escapes it for its receiver. Reads the address of the UI; writes nothing.
"""

from datetime import UTC

from analytics_worker.delivery import Content
from analytics_worker.delivery.message import Fact, Link
from analytics_worker.text import one_line, value_line
from flows.monitoring.lost_requests.model import LostRequest
from flows.monitoring.notifications.text import run_url, utc_text


def given_up_content(lost: LostRequest, reason: str) -> Content:
    """Return the content of the message about a request that is not run again."""
    requested_at = lost.requested_at.astimezone(UTC).isoformat()
    at, last, url = utc_text(requested_at), _last_state(lost), run_url(str(lost.run_id))
    title = one_line(f"{value_line(lost.deployment)}: the request of {at} was not done")
    lines = [
        f"[lost] {title}",
        "",
        f"What was requested at {at} was not done, and is not run again: {value_line(reason)}.",
        f"The last run ended as {last}",
        "",
        "Its parameters are in the run. To run it again:",
        f"prefect flow-run retry {lost.run_id}",
        *(["", url] if url else []),
    ]
    facts = {"Requested": at, "Reason": value_line(reason), "Last run": last}
    body = {
        "event": "request_lost",
        "deployment": value_line(lost.deployment),
        "requested_at": requested_at,
        "reason": value_line(reason),
        "message": last,
        "run_id": str(lost.run_id),
        "run_url": url,
        "text": "\n".join(lines),
    }
    return Content(
        subject=lines[0],
        headline=title,
        text="\n".join(lines) + "\n",
        json=body,
        severity="critical",
        facts=tuple(Fact(label=label, value=value) for label, value in facts.items()),
        links=(Link(label="Open the run", url=url),) if url else (),
    )


def _last_state(lost: LostRequest) -> str:
    return value_line(f"{lost.state}: {lost.message}".rstrip(": "))
