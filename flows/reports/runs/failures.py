"""What the owner of a report hears when it was not made.

Writes the run's row and one mail into the outbox, in one statement. Safe to repeat: the mail's id
follows from the run.
"""

from analytics_worker.text import one_line, value_line
from flows.reports.output.files import about
from flows.reports.output.recipients import identity, message_key
from flows.reports.runs.store import Ledger, Run

MAX_ERROR = 2000


def give_up(book: Ledger, run: Run, message: str, *, final: bool = False) -> None:
    """Write down that a run failed; if `final`, no later flow run tries it by itself."""
    about = identity(run.name, run.period, run.key)
    key = message_key(f"failed\0{about}", run.report.owner or "")
    book.give_up(run.id, message, key, _words(run, message), final=final)


def _words(run: Run, message: str) -> dict[str, str]:
    lines = [
        "Your report was not made, and nobody got it.",
        "",
        f"Report: {value_line(run.report.name)}",
        *([f"For: {value_line(run.key)}"] if run.key else []),
        f"Period: {about(run)}",
        f"Error: {value_line(message, MAX_ERROR)}",
    ]
    if run.kind == "scheduled":
        again = f"analytics-worker reports run {run.report.name} --period {run.period}"
        lines += ["", "The next run of its schedule tries again; so does", again]
    subject = one_line(f"Report failed: {run.report.heading} ({about(run)})")
    return {"subject": subject, "text": "\n".join(lines)}
