"""Who a report goes to, and whether it may go there.

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
    """A report may not be sent to somebody; names the address or channel and the setting."""


def recipients_of(report: Report, row: Mapping[str, Any]) -> list[Recipient]:
    """Everybody who gets the report, each once: whoever is in ``to`` is not in ``cc`` as well.

    Raises:
        RecipientError: an address of the row is not valid, or somebody may not get reports.
    """
    named = report.recipients
    emails = [
        *(Recipient(EMAIL, address, "to") for address in (*named.to, *_row_addresses(report, row))),
        *(Recipient(EMAIL, address, "cc") for address in named.cc),
        *(Recipient(EMAIL, address, "bcc") for address in named.bcc),
    ]
    unique: dict[str, Recipient] = {}
    for each in emails:
        unique.setdefault(each.address.lower(), each)
    check_allowed([each.address for each in unique.values()], named.channels)
    if len(unique) > MAX_RECIPIENTS:
        raise RecipientError(
            f"{len(unique)} recipients; at most {MAX_RECIPIENTS}: write to a mailing list"
        )
    return [*unique.values(), *(Recipient(name, name) for name in dict.fromkeys(named.channels))]


def _row_addresses(report: Report, row: Mapping[str, Any]) -> list[str]:
    """Those in the row that this report is made for."""
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


def check_recipients(named: Recipients) -> None:
    """Refuse recipients of a definition to whom reports may not be sent.

    Raises:
        RecipientError: names the first of them.
    """
    check_allowed([*named.to, *named.cc, *named.bcc], named.channels)


def check_allowed(addresses: Iterable[str], channels: Sequence[str] = ()) -> None:
    """Refuse addresses outside the allowed domains, and channels that are not listed beside them.

    Raises:
        RecipientError: names the first of them.
    """
    domains = {domain.lower().lstrip("@") for domain in settings().report_allowed_domains if domain}
    for address in addresses:
        if domains and address.rsplit("@", 1)[-1].lower() not in domains:
            raise RecipientError(
                f"{one_line(address, 80)} may not get reports: REPORT_ALLOWED_DOMAINS allows"
                f" {', '.join(sorted(domains))}"
            )
    listed = {name for name in settings().report_allowed_channels if name}
    for name in channels:
        if (domains or listed) and name not in listed:
            raise RecipientError(
                f"channel {one_line(name, 80)} may not get reports: REPORT_ALLOWED_CHANNELS allows"
                f" {', '.join(sorted(listed)) or 'none'}"
            )


def message_keys(identity: str, recipients: Iterable[Recipient]) -> dict[Recipient, str]:
    """Return the first half of each email's Message-ID."""
    return {
        each: message_key(identity, each.address) for each in recipients if each.channel == EMAIL
    }


def message_key(identity: str, recipient: str) -> str:
    """The first half of a Message-ID: the same for each attempt, different for anybody else."""
    return hashlib.sha256(f"{identity}\0{recipient.lower()}".encode()).hexdigest()[:32]


def identity(report: str, period: str, key: str) -> str:
    """What a report run is, whichever row it has."""
    return f"{report}\0{period}\0{key}"
