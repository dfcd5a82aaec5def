"""Who a report goes to, and whether it may go there.

Reads REPORT_ALLOWED_DOMAINS; writes nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from pydantic import TypeAdapter, ValidationError

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.reports.definitions.model import Address, Report

_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
MOST = 500


class RecipientError(PermanentError):
    """A report may not be sent to somebody; names the address and the setting."""


class Addressee(TypedDict):
    """One mail of a report."""

    recipient: str
    role: str
    message_id: str


def addressees(report: Report, identity: str, row: Mapping[str, Any]) -> list[Addressee]:
    """Everybody who gets the report, each once: whoever is in ``to`` is not in ``cc`` as well.

    Raises:
        RecipientError: an address of the row is none, or its domain is not allowed.
    """
    groups = {
        "to": [*report.recipients.to, *row_addresses(report, row)],
        "cc": report.recipients.cc,
        "bcc": report.recipients.bcc,
    }
    found: dict[str, Addressee] = {}
    for role, addresses in groups.items():
        for address in addresses:
            message = message_key(identity, address)
            made = Addressee(recipient=address, role=role, message_id=message)
            found.setdefault(address.lower(), made)
    refuse(each["recipient"] for each in found.values())
    if len(found) > MOST:
        raise RecipientError(f"{len(found)} recipients; at most {MOST}: write to a mailing list")
    return list(found.values())


def row_addresses(report: Report, row: Mapping[str, Any]) -> list[str]:
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
        raise RecipientError(f"{one_line(text, 80)!r} is no mail address") from None


def refuse(addresses: Iterable[str]) -> None:
    """Refuse addresses outside the allowed domains.

    Raises:
        RecipientError: names the first of them.
    """
    allowed = {domain.lower().lstrip("@") for domain in settings().report_allowed_domains if domain}
    for address in addresses:
        domain = address.rsplit("@", 1)[-1].lower()
        if allowed and domain not in allowed:
            raise RecipientError(
                f"{one_line(address, 80)} may not get reports: REPORT_ALLOWED_DOMAINS allows"
                f" {', '.join(sorted(allowed))}"
            )


def message_key(identity: str, recipient: str) -> str:
    """The first half of a Message-ID: the same for each attempt, different for anybody else."""
    return hashlib.sha256(f"{identity}\0{recipient.lower()}".encode()).hexdigest()[:32]


def identity(report: str, period: str, key: str) -> str:
    """What a report run is, whichever row it has."""
    return f"{report}\0{period}\0{key}"
