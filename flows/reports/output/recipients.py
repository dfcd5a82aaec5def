"""Determine the recipients of a report, and refuse those that are not allowed.

Reads REPORT_ALLOWED_DOMAINS and REPORT_ALLOWED_CHANNELS; writes nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from analytics_worker.delivery import Recipient
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.reports.definitions.model import Address, Recipients, Report

_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
MAX_RECIPIENTS = 500
EMAIL = "email"


class RecipientError(PermanentError):
    """A recipient is not allowed; names the address or channel and the setting."""


def recipients_of(report: Report, row: Mapping[str, Any]) -> list[Recipient]:
    """Return all recipients of a report, each address once: one in ``to`` is not in ``cc`` as well.

    Raises:
        RecipientError: an address of the row is not valid, or a recipient is not allowed.
    """
    defined = report.recipients
    to = (*defined.to, *_row_addresses(report, row))
    emails = [
        *(Recipient(EMAIL, address, "to") for address in to),
        *(Recipient(EMAIL, address, "cc") for address in defined.cc),
        *(Recipient(EMAIL, address, "bcc") for address in defined.bcc),
    ]
    unique: dict[str, Recipient] = {}
    for each in emails:
        unique.setdefault(each.address.lower(), each)
    check_allowed([each.address for each in unique.values()], defined.channels)
    if len(unique) > MAX_RECIPIENTS:
        raise RecipientError(
            f"{len(unique)} recipients; at most {MAX_RECIPIENTS}: write to a mailing list"
        )
    channels = dict.fromkeys(defined.channels)
    return [*unique.values(), *(Recipient(name, name) for name in channels)]


def _row_addresses(report: Report, row: Mapping[str, Any]) -> list[str]:
    """Return the addresses in the row of ``for_each``."""
    column = report.for_each.to if report.for_each else None
    if column is None:
        return []
    value = row.get(column)
    texts = value if isinstance(value, list) else str(value or "").split(",")
    return [_address(str(text).strip()) for text in texts if str(text).strip()]


def _address(text: str) -> str:
    try:
        return _ADDRESS.validate_python(text)
    except ValidationError:
        raise RecipientError(f"{one_line(text, 80)!r} is not a valid email address") from None


def check_recipients(recipients: Recipients) -> None:
    """Check the recipients of a definition.

    Raises:
        RecipientError: names the first one that is not allowed.
    """
    addresses = [*recipients.to, *recipients.cc, *recipients.bcc]
    check_allowed(addresses, recipients.channels)


def check_allowed(addresses: Iterable[str], channels: Sequence[str] = ()) -> None:
    """Check addresses by the allowed domains, and channels by the allowed channels.

    Raises:
        RecipientError: names the first one that is not allowed.
    """
    domains = {domain.lower().lstrip("@") for domain in settings().report_allowed_domains if domain}
    for address in addresses:
        if domains and address.rsplit("@", 1)[-1].lower() not in domains:
            raise RecipientError(
                f"{one_line(address, 80)} may not get reports: REPORT_ALLOWED_DOMAINS allows"
                f" {', '.join(sorted(domains))}"
            )
    allowed_channels = {name for name in settings().report_allowed_channels if name}
    for name in channels:
        if (domains or allowed_channels) and name not in allowed_channels:
            raise RecipientError(
                f"channel {one_line(name, 80)} may not get reports: REPORT_ALLOWED_CHANNELS allows"
                f" {', '.join(sorted(allowed_channels)) or 'none'}"
            )


def message_keys(identity: str, recipients: Iterable[Recipient]) -> dict[Recipient, str]:
    """Return the local part of each email's Message-ID."""
    return {
        each: message_key(identity, each.address) for each in recipients if each.channel == EMAIL
    }


def message_key(identity: str, recipient: str) -> str:
    """Return the local part of a Message-ID: the same in every attempt, unique to the recipient."""
    return hashlib.sha256(f"{identity}\0{recipient.lower()}".encode()).hexdigest()[:32]


def identity(report: str, period: str, key: str) -> str:
    """Return what identifies a report run, independent of its id."""
    return f"{report}\0{period}\0{key}"
