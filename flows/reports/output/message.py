"""Compose the message of a report for every kind of channel: email, chat, or a program's webhook.

Reads settings; writes nothing. A channel shows text and HTML, or tiles, facts and notes, or the JSON, with
the files or with links to them.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from analytics_worker.delivery import (
    Attachment,
    Content,
    Image,
    Message,
    Recipient,
    default_recipients,
)
from analytics_worker.delivery.message import Fact, Link, Tile
from analytics_worker.presentation.exact_numbers import decimal_of, json_number
from analytics_worker.report_storage.location import location_name
from analytics_worker.report_storage.storage import Storage
from analytics_worker.text import value_line
from analytics_worker.trust.stamp import checks, trust_json
from flows.reports.formats import Document, File
from flows.reports.formats import Tile as DocumentTile
from flows.reports.formats.pages.document import Number
from flows.reports.formats.pages.tiles import tile_texts
from flows.reports.output.data_age import UNKNOWN, UNKNOWN_AGE
from flows.reports.output.email import (
    MAX_NOTE_LENGTH,
    EmailBody,
    email_body,
    file_text,
    restated_lines,
    subject_of,
)
from flows.reports.output.files import StoredFile, WrittenFiles
from flows.reports.output.recipients import identity, message_keys
from flows.reports.runs.model import FOLLOW_UP, ReportRun, period_label

NAMESPACE = UUID("9d7a2b0c-4f0e-4a9e-8d43-5d1a5a1f5c02")


def report_message(
    run: ReportRun,
    written: WrittenFiles,
    document: Document,
    storage: Storage,
    recipients: Sequence[Recipient],
) -> Message:
    """Compose the message of a run whose files are not published yet."""
    name = identity(run.name, run.period, run.key)
    body = email_body(document, written.files, storage)
    return Message(
        domain="reports",
        kind="report",
        content=_content(run, written, body, storage, recipients),
        recipients=recipients,
        owner=run.report.owner,
        fallback=default_recipients(),
        keys=message_keys(name, recipients),
        reference=str(run.id),
        id=message_id("report", run),
    )


def message_id(kind: str, run: ReportRun) -> UUID:
    """Return the id of a run's message of this kind; it is always the same."""
    return uuid5(NAMESPACE, f"{kind}/{run.id}")


def _content(
    run: ReportRun,
    written: WrittenFiles,
    body: EmailBody,
    storage: Storage,
    recipients: Sequence[Recipient],
) -> Content:
    document = body.document
    files = [file.stored for file in written.files]
    links = [storage.link(file["name"]) for file in files]
    return Content(
        subject=subject_of(document),
        headline=subject_of(document),
        text=body.text,
        html=body.html,
        json=_json(run, written, document, links),
        severity="warning" if run.reason else None,
        facts=_facts(document, written),
        items=_items(document, [] if body.has_files else files, links),
        tiles=tuple(_tile(tile) for tile in document.tiles),
        links=() if body.has_files else _links(files, links),
        images=tuple(
            Image(name=each.name, data=b64encode(each.data).decode(), media_type=each.mime_type)
            for each in body.images
        ),
        attachments=_attachments(files, links, storage.name) if body.has_files else (),
        to=tuple(sorted(each.address for each in recipients if _is_in(each, "to"))),
        cc=tuple(sorted(each.address for each in recipients if _is_in(each, "cc"))),
        sent_as=datetime.now(UTC),
    )


def _is_in(recipient: Recipient, role: str) -> bool:
    """Return whether the headers of emails name a recipient in this role."""
    return recipient.role == role and recipient.address != recipient.channel


def _facts(document: Document, written: WrittenFiles) -> tuple[Fact, ...]:
    values = {
        "Period": document.period,
        document.data_as_of_label: document.data_as_of,
        "Checks": " · ".join(each.text for each in checks(document.trust)),
        "Rows": f"{written.rows:,}{' (truncated)' if written.truncated else ''}",
        "Questions": document.owner,
    }
    return tuple(Fact(label=label, value=value) for label, value in values.items() if value)


def _items(
    document: Document, unattached: Sequence[StoredFile], links: Sequence[str]
) -> tuple[str, ...]:
    """Return the notes for readers, and the location of files that have no web link."""
    notes = (document.description, *document.warnings, *document.notes)
    return (
        *(value_line(note, MAX_NOTE_LENGTH) for note in notes if note),
        *(f"Restated since it was sent: {line}" for line in restated_lines(document)),
        *(
            file_text(File(file["attach_as"], file["bytes"], file["rows"], link))
            for file, link in zip(unattached, links, strict=False)
            if not _is_web(link)
        ),
    )


def _links(files: Sequence[StoredFile], links: Sequence[str]) -> tuple[Link, ...]:
    pairs = zip(files, links, strict=True)
    return tuple(Link(label=file["attach_as"], url=url) for file, url in pairs if _is_web(url))


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _tile(tile: DocumentTile) -> Tile:
    texts = tile_texts(tile)
    value = " ".join(filter(None, (texts.value, texts.unit)))
    arrow, _, change = texts.change.partition(" ")
    if arrow == "=" or tile.incomplete:  # no direction
        return Tile(label=texts.title, value=value, change=texts.change)
    direction = "up" if arrow == "▲" else "down" if arrow else "none"
    return Tile(label=texts.title, value=value, change=change, direction=direction)


def _attachments(
    files: Sequence[StoredFile], links: Sequence[str], storage: str
) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            storage=storage,
            name=file["name"],
            attach_as=file["attach_as"],
            media_type=file["media_type"].split(";")[0],
            bytes=file["bytes"],
            url=link if "://" in link else "",
            written_by=location_name(),
        )
        for file, link in zip(files, links, strict=True)
    )


def _json(
    run: ReportRun, written: WrittenFiles, document: Document, links: Sequence[str]
) -> dict[str, Any]:
    """Return the body of the webhook (docs/reports.md)."""
    return {
        "event": "report",
        "subject": subject_of(document),
        "run": run.id,
        "report": run.report.name,
        "title": document.title,
        "key": run.key,
        "period": period_label(run),
        "period_start": run.start.isoformat(),
        "period_end": run.end.isoformat(),
        **_data_age(document),
        "trust": trust_json(document.trust),
        "rows": written.rows,
        "truncated": written.truncated,
        "tiles": [
            {
                "title": tile.title,
                "value": _number(tile.value),
                "previous": _number(tile.previous),
                "unit": tile.unit,
                **({"incomplete": tile.incomplete} if tile.incomplete else {}),
            }
            for tile in document.tiles
        ],
        "warnings": list(document.warnings),
        "notes": list(document.notes),
        "files": [
            _file(file.stored, link) for file, link in zip(written.files, links, strict=True)
        ],
        **({"preliminary": True} if run.is_preliminary else {}),
        **({"unverified": list(run.unverified)} if run.unverified else {}),
        **({"held": [each.title for each in run.held_parts]} if run.held_parts else {}),
        **({"follow_up": True} if run.kind == FOLLOW_UP else {}),
        **({"restated": _restated(document)} if document.restated else {}),
    }


def _data_age(document: Document) -> dict[str, Any]:
    """Return through which instant the data is complete, as text; if only its last change is known, that beside it."""
    changed_at = document.data_changed_at
    return {
        "data_as_of": UNKNOWN_AGE if changed_at else document.data_as_of,
        "data_as_of_label": UNKNOWN if changed_at else document.data_as_of_label,
        "data_changed_at": changed_at.isoformat() if changed_at else None,
    }


def _restated(document: Document) -> list[dict[str, Any]]:
    return [{"period": each.period, "changes": list(each.changes)} for each in document.restated]


def _file(file: StoredFile, link: str) -> dict[str, Any]:
    return {
        "name": file["attach_as"],
        "format": file["format"],
        "media_type": file["media_type"],
        "bytes": file["bytes"],
        "rows": file["rows"],
        "url": link if "://" in link else None,
    }


def _number(value: Number | None) -> float | str | None:
    """Return a number for JSON as alerts do; whole ones without a decimal point."""
    number = json_number(None if value is None else decimal_of(value))
    return int(number) if isinstance(number, float) and number.is_integer() else number
