"""Define a message and its recipients: plain data that every domain writes and every channel reads.

A message is stored once for all its recipients. Its content has the same facts in several forms
(subject, text, HTML, JSON, fields, tiles), from which a channel uses what its receiver can show.
All texts are data: a channel escapes them for its receiver. Reads nothing, writes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Domain = Literal["alerts", "reports", "monitoring"]
Role = Literal["to", "cc", "bcc", "owner"]
Severity = Literal["critical", "warning", "info", "ok"]
IncidentAction = Literal["trigger", "resolve"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fact(_Value):
    """A labeled value, such as "condition: coverage < 0.5"."""

    label: str
    value: str


class Tile(_Value):
    """A number of a report with its change from the previous period."""

    label: str
    value: str
    change: str = ""
    direction: Literal["up", "down", "none"] = "none"


class Link(_Value):
    """A labeled http(s) address."""

    label: str
    url: str


class Image(_Value):
    """An inline image; the HTML refers to it as ``cid:NAME``."""

    name: str
    data: str
    """Base64."""
    media_type: str = "image/png"


class Attachment(_Value):
    """A report file that is opened when the message is sent, by a host that can reach it."""

    storage: str
    """Name of the report storage block; empty for REPORT_OUTPUT_DIR."""
    name: str
    attach_as: str
    media_type: str
    bytes: int = 0
    url: str = ""
    """The URL of the file, for receivers that accept no files."""
    written_by: str = ""
    """The location (host and folders) that wrote it: if it is missing there, it does not exist."""


class Content(_Value):
    """The content of a message.

    Attributes:
        subject: One line.
        text: Plain text body, complete without any other field.
        html: The body as an HTML document, or None.
        json_body: The body for programs (docs/alerts.md); ``json`` in the stored form.
        severity: Decides colors and the priority at incident services.
        incident_action: ``trigger`` opens or updates an incident, ``resolve`` closes it; None: neither.
        incident_key: The same text for every message of one incident.
        headline: The subject without its prefix in brackets; the title of cards and blocks.
        facts: Short labeled values, in order of importance.
        items: Lines of a list, such as the worst keys, in order.
        tiles: Numbers of a report.
        links: Further pages; the first one is the message's own page.
        images: Inline images of the HTML.
        attachments: Files.
        to: Addresses in the To header of emails.
        cc: Addresses in the Cc header of emails.
        sent_as: Date header of emails; None: the time of sending.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    subject: str
    text: str
    html: str | None = None
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    severity: Severity | None = None
    incident_action: IncidentAction | None = None
    incident_key: str | None = None
    headline: str = ""
    facts: tuple[Fact, ...] = ()
    items: tuple[str, ...] = ()
    tiles: tuple[Tile, ...] = ()
    links: tuple[Link, ...] = ()
    images: tuple[Image, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    sent_as: datetime | None = None

    def stored(self) -> dict[str, Any]:
        """Return the JSON object that ops.messages stores, without empty fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class Recipient(NamedTuple):
    """An address of a channel, or the channel as a whole (then both texts are equal)."""

    channel: str
    address: str
    role: Role = "to"


class Message(NamedTuple):
    """A message to enqueue.

    Attributes:
        domain: The domain that enqueues it.
        kind: firing, resolved, report, deployment_failing, delivery_failed, …
        content: Its content.
        recipients: Its recipients; empty: none were found, the caller records that.
        topic: Messages of one topic reach one recipient in the order in which they were enqueued;
            empty: in any order.
        follows: Id of an earlier message: only recipients that got that one get this one.
        owner: Notified if the message can't be delivered: an email address or a channel's name.
        fallback: Notified instead, in this order, if there is no owner, or if the owner could not be
            reached either.
        keys: Idempotency key for each recipient; by default derived from id, channel and address.
        digest_key: What due messages have in common that are sent as one digest to each recipient, in
            the words of its subject, such as "rules failed: no such table"; empty: each on its own.
        group_wait: How long it waits for others with its digest key, at channels that get digests.
        id: Generated by the outbox if it is None.
        reference: Id of the domain's own row (alert event, report run, deployment) for views and pruning.
    """

    domain: Domain
    kind: str
    content: Content
    recipients: Sequence[Recipient]
    topic: str = ""
    follows: UUID | None = None
    owner: str | None = None
    fallback: Sequence[Recipient] = ()
    keys: Mapping[Recipient, str] = {}
    reference: str = ""
    digest_key: str = ""
    group_wait: timedelta = timedelta(0)
    id: UUID | None = None


class OutgoingMessage(NamedTuple):
    """One message for one recipient, as the dispatcher passes it to a channel.

    Attributes:
        key: The idempotency key, the same in every attempt.
        recipient: An address, or the channel's name.
        content: The content of the message.
        files: The attachments that could be opened, by the name under which they are attached.
        thread: Receipts of the topic's earlier message to the same recipient (a Slack ``ts``, a
            Message-ID), with which a channel sends this one as a reply.
    """

    key: str
    recipient: str
    content: Content
    files: Mapping[str, Path] = {}
    thread: Mapping[str, str] = {}
