"""Parse email addresses that are safe for any server, in an SMTP command and in a header.

Reads nothing, writes nothing. An address that is refused here is an error of that one recipient, before
anything is sent: line ends, spaces, quotes, brackets and SMTP parameters, addresses that a program could
take for an option (``-oX``), and addresses that would change the meaning of a header.
"""

import re
import unicodedata
from email.headerregistry import Address

import idna

from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line

MAX_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, without its angle brackets
SHOWN_CHARACTERS = 80

_ASCII_ATOM = "!#$%&'*+/=?^_`{|}~-"  # beside letters and digits (RFC 5322, 3.2.3)
_NAMED = re.compile(r" *(?P<name>[^<>]*?) *<(?P<spec>[^<> ]+)> *| *(?P<bare>[^<> ]+) *")
_QUOTED = re.compile(r'"(?P<content>(?:[^"\\]|\\.)*)"')
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def parse_address(text: str) -> Address:
    """Return an address, with or without a name; international domains become ASCII.

    Raises:
        PermanentError: it is not valid; the message says why.
    """
    match = None if _UNSAFE.search(text) else _NAMED.fullmatch(text)
    local, at, domain = (match["spec"] or match["bare"] if match else "").rpartition("@")
    if not match or not (at and domain) or not _is_local_part(local):
        raise PermanentError(
            f"{one_line(text, SHOWN_CHARACTERS)!r} is not a valid email address; expected name@example.com"
        )
    address = Address(_unquoted(match["name"] or ""), username=local, domain=_ascii_domain(domain))
    if len(address.addr_spec.encode()) > MAX_ADDRESS:
        raise PermanentError(
            f"{one_line(text, SHOWN_CHARACTERS)!r} is not a valid email address; expected at most"
            f" {MAX_ADDRESS} characters"
        )
    return address


def _is_local_part(text: str) -> bool:
    """Whether the text is words of letters, digits and some signs, separated by dots, of 64 octets."""
    return (
        all(atom and all(map(_is_atom, atom)) for atom in text.split("."))
        and not text.startswith("-")
        and "=?" not in text  # a receiver may take it for an encoded word
        and len(text.encode()) <= 64  # noqa: PLR2004  # RFC 5321, 4.5.3.1.1
    )


def _is_atom(character: str) -> bool:
    """Whether the character may stand in a local part (RFC 6531 for those beyond ASCII)."""
    if character.isascii():
        return character.isalnum() or character in _ASCII_ATOM
    return unicodedata.category(character)[0] in "LMNS"


def _ascii_domain(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise PermanentError(
            f"{one_line(domain, SHOWN_CHARACTERS)!r} is not a valid email domain; expected e.g. example.com"
        ) from None


def _unquoted(name: str) -> str:
    quoted = _QUOTED.fullmatch(name)
    return re.sub(r"\\(.)", r"\1", quoted["content"]) if quoted else name
