"""Write what a digest has of each message: its subject, its page, and what to do about it.

All texts are data: each is one line and bounded here, and escaped by the channel. Reads nothing, writes
nothing.
"""

import re
from collections.abc import Iterator, Sequence

from analytics_worker.delivery.channels.card import MAX_LINKS, is_usable_url
from analytics_worker.delivery.kind_label import WITHOUT_SEVERITY, kind_label
from analytics_worker.delivery.message import Link, Severity
from analytics_worker.delivery.statements import Row
from analytics_worker.text import one_line, value_line

RANK: tuple[Severity, ...] = ("critical", "warning", "info", "ok")
MAX_SUBJECT = 300
MAX_URL = 2000
MAX_DETAIL = 300
MAX_ITEM_PART = 120
"""Of the subject, runbook and owner in one item, of which some channels show 300 characters."""

_LABEL = re.compile(r"\[[^\]]*\]\s+(?=\S)")


def row_label(row: Row) -> str:
    """Return the label of a message from its columns: its subject may be that of a user's template."""
    return f"[{kind_label(row['kind'], row['severity'])}]"


def state_text(row: Row) -> str:
    """Return the state of a message: its severity if it has one of its own; else what its kind says."""
    if row["kind"] in WITHOUT_SEVERITY:
        return kind_label(row["kind"], None).lower()
    return row["severity"] if row["severity"] in RANK else ""


def subject_text(row: Row) -> str:
    """Return the subject as one line."""
    return one_line(str(row["subject"] or "(no subject)"), MAX_SUBJECT)


def unlabeled_subject(row: Row) -> str:
    """Return the subject without its label at the beginning."""
    text, label = subject_text(row), row_label(row)
    rest = text[len(label) :].strip()
    return rest if rest and text[: len(label)].upper() == label else text


def message_line(row: Row) -> str:
    """Return a message in the text of a digest: one line, and one for each thing to know."""
    url = one_line(str(row["url"] or ""), MAX_URL)
    shown = f" {url}" if url and url != _runbook(row) else ""
    details = [f"  {label}: {text}" for label, text in _details(row)]
    return "\n".join([f"- {_labeled(row)}{shown}", *details])


def message_item(row: Row) -> str:
    """Return a message as an item of a card, in one line; a longer address is only among the links."""
    details = [
        f"{label}: {one_line(text, MAX_ITEM_PART)}"
        for label, text in _details(row)
        if len(text) <= MAX_ITEM_PART or not is_usable_url(text)
    ]
    subject = _labeled(row)
    return " | ".join([one_line(subject, MAX_ITEM_PART), *details]) if details else subject


def message_entry(row: Row) -> dict[str, str | None]:
    """Return a message in the JSON of a digest, which has runbook and owner unchanged."""
    fields = {name: row[name] for name in ("severity", "url", "runbook", "owner")}
    return {"subject": subject_text(row), **fields}


def digest_links(rows: Sequence[Row]) -> tuple[Link, ...]:
    """Return the page of the first message, and the runbooks, as many as a card shows."""
    labels: dict[str, str] = {}
    for row in rows:
        runbook = _runbook(row)
        if row is rows[0] and row["url"] and row["url"] != runbook:
            labels[row["url"]] = subject_text(row)
        if is_usable_url(runbook):
            labels.setdefault(runbook, f"Runbook: {value_line(str(row['rule'] or ''))}")
    return tuple(Link(label=label, url=url) for url, label in labels.items())[:MAX_LINKS]


def _details(row: Row) -> Iterator[tuple[str, str]]:
    runbook, owner = _runbook(row), str(row["owner"] or "").strip()
    if is_usable_url(runbook):
        yield "Runbook", runbook
    elif runbook:
        yield "What to do", value_line(runbook, MAX_DETAIL)
    if owner:
        yield "Owner", value_line(owner, MAX_DETAIL)


def _runbook(row: Row) -> str:
    return str(row["runbook"] or "").strip()


def _labeled(row: Row) -> str:
    """Return the subject, after the state of the message if the subject does not name that itself."""
    subject, state = subject_text(row), state_text(row)
    return subject if not state or _names_state(row, subject, state) else f"{state}: {subject}"


def _names_state(row: Row, subject: str, state: str) -> bool:
    label = row_label(row)
    is_labeled = label in subject.upper() and state in label.lower()
    return is_labeled or (state == "ok" and bool(_LABEL.match(subject)))
