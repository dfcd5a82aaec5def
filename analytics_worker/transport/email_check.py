"""Check the bytes of an email before they are sent.

Reads nothing, writes nothing, and imports only the standard library. The check is independent of the
code that wrote the bytes: an unexpected header, of the email or of one of its parts, is an error of this
one email, independent of its origin.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

MAX_LINE_LENGTH = 998  # RFC 5322, 2.1.1

_FIELD = re.compile(rb"([A-Za-z][A-Za-z-]*):(?: [^\x00-\x1f\x7f]*)?")
_CONTINUATION = re.compile(rb" [^\x00-\x20\x7f][^\x00-\x1f\x7f]*")
_MULTIPART = re.compile(rb'(?m)^Content-Type: multipart/[a-z]+; boundary="([^"\r\n]{1,70})"\r$')
_PART_FIELDS = Counter(
    {
        "Content-Type": 1,
        "Content-Transfer-Encoding": 1,
        "Content-Disposition": 1,
        "Content-ID": 1,
        "MIME-Version": 1,
    }
)


class UnsafeEmailError(ValueError):
    """The bytes are not as expected; the message gives the reason without their content."""


def check_headers(headers: bytes, names: Sequence[str], *, utf8: bool = False) -> None:
    """Check that the headers are exactly these fields, in this order, folded as `email_headers` folds.

    Raises:
        UnsafeEmailError: they are not.
    """
    if not utf8 and not headers.isascii():
        raise UnsafeEmailError("its headers have characters beyond ASCII")
    fields = list(_fields(headers))
    if fields != list(names):
        raise UnsafeEmailError(f"it has {len(fields)} headers; expected {', '.join(names)}")


def check_content(content: bytes, expected_parts: int) -> None:
    """Check the rest of an email, from its MIME headers on: the number of parts, and their fields.

    Raises:
        UnsafeEmailError: a part has a field that is not for parts, or the number of parts is different.
    """
    _check_lines(content)
    parts = sum(_leaves(content, 0, len(content)))
    if parts != expected_parts:
        raise UnsafeEmailError(f"it has {parts} parts; expected {expected_parts}")


def _fields(headers: bytes) -> Iterator[str]:
    """Yield the names of the fields; a blank line, or one that is not a field, is an error."""
    if not headers.endswith(b"\r\n"):
        raise UnsafeEmailError("its headers do not end with a line end")
    _check_lines(headers)
    name = ""
    for line in headers.removesuffix(b"\r\n").split(b"\r\n"):
        if name and _CONTINUATION.fullmatch(line):
            continue
        match = _FIELD.fullmatch(line)
        if not match:
            raise UnsafeEmailError("a line of its headers is not a header")
        name = match[1].decode()
        yield name


def _check_lines(text: bytes) -> None:
    ends = text.count(b"\r\n")
    if text.count(b"\r") != ends or text.count(b"\n") != ends:
        raise UnsafeEmailError("it has a bare carriage return or line feed")
    if b"\0" in text:
        raise UnsafeEmailError("it has a NUL character")
    if _max_line_length(text) > MAX_LINE_LENGTH:
        raise UnsafeEmailError(f"it has a line of more than {MAX_LINE_LENGTH} characters")


def _max_line_length(text: bytes) -> int:
    """Return the length of the longest line without a copy: the text may be tens of megabytes."""
    longest = start = 0
    while (end := text.find(b"\r\n", start)) >= 0:
        longest, start = max(longest, end - start), end + 2
    return max(longest, len(text) - start)


def _leaves(text: bytes, start: int, end: int) -> Iterator[int]:
    """Yield 1 for each part between two offsets that does not contain other parts."""
    blank = text.find(b"\r\n\r\n", start, end)
    headers = text[start : blank + 2] if blank >= 0 else b""
    boundary = _boundary(headers)
    if boundary is None:
        yield 1
        return
    offsets = list(_delimiter_offsets(text, b"\r\n--" + boundary, blank + 2, end))
    if len(offsets) < 2 or text[offsets[-1] : end].strip(b"\r\n") != b"--":  # noqa: PLR2004  # a part and the end
        raise UnsafeEmailError("its parts have no end")
    for first, following in pairwise(offsets):
        yield from _leaves(text, first + 2, following - len(boundary) - 4)


def _boundary(headers: bytes) -> bytes | None:
    """Return the boundary between the parts of a part; None if it has no parts."""
    names = Counter(_fields(headers))
    if "Content-Type" not in names or names - _PART_FIELDS:
        raise UnsafeEmailError("a part has headers that are not those of a part")
    match = _MULTIPART.search(headers.replace(b"\r\n ", b" "))
    return match[1] if match else None


def _delimiter_offsets(text: bytes, delimiter: bytes, start: int, end: int) -> Iterator[int]:
    """Yield the offset behind each delimiter."""
    while (offset := text.find(delimiter, start, end)) >= 0:
        start = offset + len(delimiter)
        yield start
