"""Write the header fields of an email, byte for byte the same on every Python.

Reads nothing, writes nothing, and imports only the standard library. The ``email`` package is not used:
some releases of Python decode an encoded word (RFC 2047) in a value and write its line ends unchanged
(docs/decisions/mail-headers.md). Here a text is never parsed. It is written unchanged if it is plain
ASCII, and as encoded words of UTF-8 otherwise. A text that looks like an encoded word is encoded, too, so
that receivers show it unchanged. Every function turns its text into one line first.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from analytics_worker.text import one_line

FOLD_AT = 78
MAX_WORD = 64  # of at most 75 (RFC 2047), so that one fits behind every name
MAX_TEXT = 2000

_PLAIN = re.compile(r"[!-~]{1,60}(?: [!-~]{1,60})*")
_ATOMS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60}(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60})*"
)
_QUOTABLE = re.compile(r"[ -~]{1,50}")
_SIMPLE_VALUE = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._ -]{0,48}")
_Q_LITERAL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_ENCODED_WORD = "=?"


def text_field(name: str, text: str) -> str:
    """Return a field of free text (Subject, Comments), folded and ended by CRLF."""
    return field(name, _text_tokens(_safe(text)))


def address_field(name: str, mailboxes: Iterable[tuple[str, str]], *, utf8: bool = False) -> str:
    """Return a field of addresses, each a display name (or "") and an address that was checked.

    Without ``utf8``, an address beyond ASCII becomes the name of an empty group (RFC 6857, 3.1.6).
    """
    mailbox_tokens = [_mailbox(_safe(display), spec, utf8) for display, spec in mailboxes]
    for tokens in mailbox_tokens[:-1]:
        tokens[-1] += ","
    return field(name, [token for tokens in mailbox_tokens for token in tokens])


def disposition_field(kind: str, filename: str) -> str:
    """Return the Content-Disposition of a file; the name's encoding is that of RFC 2231."""
    parameters = _parameters("filename", _safe(filename))
    return field("Content-Disposition", [f"{kind};", *parameters])


def field(name: str, tokens: Sequence[str]) -> str:
    """Return tokens that may be separated by line ends as one field, folded and ended by CRLF."""
    lines, line = list[str](), f"{name}:"
    for token in tokens:
        if len(line) + 1 + len(token) > FOLD_AT and line.strip(" ") != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {token}"
    return "\r\n".join([*lines, line]) + "\r\n"


def _safe(text: str) -> str:
    return one_line(text, MAX_TEXT)


def _text_tokens(text: str) -> list[str]:
    """Return plain words, or only encoded ones if any character needs it: mixed ones join differently."""
    if _PLAIN.fullmatch(text) and _ENCODED_WORD not in text:
        return text.split(" ")
    return encoded_words(text)


def _phrase(text: str) -> list[str]:
    """Return a display name as atoms, a quoted string, or encoded words (RFC 5322, 3.2.5)."""
    if _ENCODED_WORD in text:
        return encoded_words(text)
    if _ATOMS.fullmatch(text):
        return text.split(" ")
    if _QUOTABLE.fullmatch(text):
        return ['"' + re.sub(r'([\\"])', r"\\\1", text) + '"']
    return encoded_words(text)


def _mailbox(display: str, spec: str, utf8: bool) -> list[str]:
    if not spec.isascii() and not utf8:
        return [*_phrase(f"{display} {spec}".strip()), ":;"]
    return [*_phrase(display), f"<{spec}>"] if display else [spec]


def encoded_words(text: str) -> list[str]:
    """Return the text as encoded words, in the shorter of the encodings Q (readable) and B."""
    quoted, based = _encoded(text, "q"), _encoded(text, "b")
    return quoted if sum(map(len, quoted)) <= sum(map(len, based)) else based


def _encoded(text: str, encoding: str) -> list[str]:
    """Encode words of whole characters, because each has to be readable on its own."""
    encode = _q if encoding == "q" else _b
    words, part = list[str](), ""
    for character in text:
        if part and len(encode(part + character)) + len("=?utf-8?q??=") > MAX_WORD:
            words.append(part)
            part = ""
        part += character
    parts = [*words, part] if part else words
    return [f"=?utf-8?{encoding}?{encode(each)}?=" for each in parts]


def _q(text: str) -> str:
    """Encode by RFC 2047, 4.2, with only the characters that are allowed in display names, too."""
    octets = text.encode()
    return "".join(
        "_" if octet == ord(" ") else chr(octet) if octet in _Q_LITERAL else f"={octet:02X}"
        for octet in octets
    )


def _b(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _parameters(name: str, value: str) -> list[str]:
    """Return ``name="value"``, or the value in UTF-8 and in numbered parts (RFC 2231)."""
    if _SIMPLE_VALUE.fullmatch(value):
        return [f'{name}="{value}"']
    parts = _percent_encoded(value)
    if len(parts) == 1:
        return [f"{name}*=utf-8''{parts[0]}"]
    first = [f"{name}*0*=utf-8''{parts[0]};"]
    others = [f"{name}*{number}*={part};" for number, part in enumerate(parts[1:], 1)]
    return [*first, *others[:-1], others[-1].removesuffix(";")]


def _percent_encoded(value: str) -> list[str]:
    """Return percent-encoded parts of whole characters."""
    parts = [""]
    for character in value:
        code = quote(character, safe="")
        if len(parts[-1]) + len(code) > MAX_WORD - len("filename*00*=utf-8''"):
            parts.append("")
        parts[-1] += code
    return parts
