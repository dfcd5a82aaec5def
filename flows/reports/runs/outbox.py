"""Send the mails that are due: whatever run wrote them, any later one sends them.

Reads and writes ``ops.report_deliveries``; reads report files. Safe to repeat and to kill: a mail is
claimed, sent, and settled before the next one, so a killed sender leaves at most one mail of which
nobody knows whether it arrived. That one is sent again, with the same Message-ID.
"""

import base64
import functools
import logging
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, Literal, Self, TypedDict

from sqlalchemy import RowMapping

from analytics_worker.circuit_breaker import CircuitOpenError, external_circuit_breaker
from analytics_worker.delivery.retry import attempt, service_name, settlement_of
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult, permanent, temporary
from analytics_worker.settings import settings
from analytics_worker.transport.mail import (
    Attachment,
    InlineImage,
    Mail,
    MailServer,
    SmtpSession,
    mail_server,
    parse_address,
    smtp_session,
)
from flows.reports.output.email import mail_sender
from flows.reports.output.storage import storage
from flows.reports.runs.store import DueMail, Ledger, ledger

NOT_CONFIGURED_SECONDS = 300.0

_log = logging.getLogger(__name__)

Fate = Literal["sent", "failed", "retrying", "skipped_open"]


class DeliveryCounts(TypedDict):
    """What became of the mails that were due."""

    sent: int
    failed: int
    """Given up; the report's owner is told."""
    retrying: int
    """To be tried again."""
    skipped_open: int
    """Not tried, because the mail server is known to be down."""
    next_at: str | None
    """When the next mail is to be tried again."""
    waits_for: str | None
    """What has to be set before a mail can be sent."""


def deliver_due() -> DeliveryCounts:
    """Send what is due; tell owners of reports that can't be delivered.

    Raises:
        CircuitOpenError: the database is known to be down.
    """
    fates: Counter[Fate] = Counter()
    with ledger() as book:
        book.recover_mails()
        fates["failed"] += book.expire_mails(settings().alert_delivery_max_hours * 3600)
        book.tell_owners()
        fates += _deliver(book)
        if book.tell_owners():
            fates += _deliver(book)  # nobody is told of mails to owners: this ends
        following = book.next_mail_at()
    return DeliveryCounts(
        sent=fates["sent"],
        failed=fates["failed"],
        retrying=fates["retrying"],
        skipped_open=fates["skipped_open"],
        next_at=following.isoformat() if following else None,
        waits_for=_missing_setting() if fates["retrying"] else None,
    )


def _deliver(book: Ledger) -> Counter[Fate]:
    fates: Counter[Fate] = Counter()
    batch = book.claim_mails()
    if not batch:
        return fates
    if missing := _missing_setting():
        fates["retrying"] += book.postpone_mails(NOT_CONFIGURED_SECONDS, missing)
        _log.warning("mails wait: %s", missing)
        return fates
    server, sender = mail_server(), mail_sender()
    with smtp_session(server) as session:
        while batch and _send_all(book, batch, _Post(book, server, session, sender), fates):
            batch = book.claim_mails()
    return fates


def _missing_setting() -> str | None:
    """What to set before any mail can be sent."""
    try:
        mail_server()
        mail_sender()
    except PermanentError as error:
        return str(error)
    return None


def _send_all(book: Ledger, batch: Sequence[DueMail], post: "_Post", fates: Counter[Fate]) -> bool:
    """Send a batch; False if the mail server turned out to be down."""
    with post:
        for due in batch:
            try:
                outcome = post.send(due)
            except CircuitOpenError as closed:
                fates["skipped_open"] += book.postpone_mails(max(closed.retry_after, 1.0))
                return False
            fates[_settle(book, due, outcome)] += 1
    return True


def _settle(book: Ledger, due: DueMail, outcome: SendResult) -> Fate:
    settlement = settlement_of(outcome, due.attempts)
    book.settle(due, settlement)
    if settlement.status == "sent":
        return "sent"
    verb = "given up" if settlement.status == "failed" else "put off"
    _log.warning("mail to %s %s: %s", due.recipient, verb, settlement.error)
    return "failed" if settlement.status == "failed" else "retrying"


class _Post:
    """Sends mails of several reports; the content of each is read and encoded once."""

    def __init__(self, book: Ledger, server: MailServer, session: SmtpSession, sender: str) -> None:
        self._book = book
        self._session = session
        self._sender = sender
        self._breaker = external_circuit_breaker(service_name(server.host, server.port))
        self._open = ExitStack()
        self._contents: dict[int, _Content | OSError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._contents.clear()
        self._open.close()

    def send(self, due: DueMail) -> SendResult:
        """One mail to one recipient."""
        try:
            mail = self._words(due) if due.payload is not None else self._report(due)
        except (FileNotFoundError, PermanentError) as error:
            return permanent(f"the report's file can't be read: {error}")
        except OSError as error:
            return temporary(f"the report's file can't be read now: {error}")
        return attempt(self._breaker, functools.partial(self._session.send, mail, due.recipient))

    def _words(self, due: DueMail) -> Mail:
        """A mail to an owner."""
        payload: Mapping[str, Any] = due.payload or {}
        return Mail(
            message_id=self._id(due),
            sender=self._sender,
            to=(due.recipient,),
            subject=str(payload.get("subject")),
            text=str(payload.get("text")),
        )

    def _report(self, due: DueMail) -> Mail:
        content = self._contents.get(due.run_id)
        if content is None:
            self._contents.clear()  # a batch is ordered by report: the last one is not needed again
            content = self._contents[due.run_id] = self._read(due.run_id)
        if isinstance(content, OSError):
            raise content
        return Mail(
            message_id=self._id(due),
            sender=self._sender,
            to=content["to"],
            cc=content["cc"],
            subject=content["subject"],
            text=content["text"],
            html=content["html"],
            images=content["images"],
            attachments=content["attachments"],
            date=content["date"],
        )

    def _read(self, run_id: int) -> "_Content | OSError":
        """A storage that is away is waited for once in a batch, not for every recipient."""
        try:
            return self._open.enter_context(_content(self._book.mail_of(run_id)))
        except OSError as error:
            return error

    def _id(self, due: DueMail) -> str:
        return f"<{due.message_id}@{parse_address(self._sender).domain}>"


class _Content(TypedDict):
    """What all mails of a report share."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    text: str
    html: str | None
    images: tuple[InlineImage, ...]
    attachments: tuple[Attachment, ...]
    date: datetime


@contextmanager
def _content(row: RowMapping) -> Generator[_Content]:
    mail: Mapping[str, Any] = row["mail"] or {}
    files: Sequence[Mapping[str, Any]] = row["files"]
    place = storage(row["storage"])
    with ExitStack() as open_files:
        attachments = tuple(
            Attachment(
                file["attach_as"],
                open_files.enter_context(place.local(file["name"])),
                file["media_type"].split(";")[0],
            )
            for file in files
            if file["name"] in mail.get("attach", [])
        )
        yield _Content(
            to=tuple(row["addressed"]),
            cc=tuple(row["copied"]),
            subject=str(mail.get("subject")),
            text=str(mail.get("text")),
            html=mail.get("html"),
            images=tuple(
                InlineImage(i["name"], base64.b64decode(i["data"]), i["mime_type"])
                for i in mail.get("images", [])
            ),
            attachments=attachments,
            date=row["made_at"],
        )
