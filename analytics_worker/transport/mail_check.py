"""The last look at the bytes of a mail, before they are handed to a server.

Reads nothing, writes nothing, and imports only the standard library. Independent of what wrote the
bytes: a header that nobody asked for, in the mail's head or in that of one of its parts, is an error of
this one mail, wherever it came from.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

LONGEST_LINE = 998  # RFC 5322, 2.1.1

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


class UnsafeMailError(ValueError):
    """The bytes are not what was asked for; says what is wrong, in words without their content."""


def check_head(head: bytes, names: Sequence[str], *, utf8: bool = False) -> None:
    """Check that a head has exactly these fields, in this order, each folded as we fold.

    Raises:
        UnsafeMailError: it has not.
    """
    if not utf8 and not head.isascii():
        raise UnsafeMailError("its head has characters beyond ASCII")
    found = list(_fields(head))
    if found != list(names):
        raise UnsafeMailError(f"its headers are {len(found)}, expected {', '.join(names)}")


def check_content(content: bytes, leaves: int) -> None:
    """Check the rest of a mail, from its MIME headers on: that many parts, and none with other fields.

    Raises:
        UnsafeMailError: a part has a field that parts have not, or there are more parts or fewer.
    """
    _check_lines(content)
    found = sum(_leaves(content, 0, len(content)))
    if found != leaves:
        raise UnsafeMailError(f"it has {found} parts, expected {leaves}")


def _fields(head: bytes) -> Iterator[str]:
    """The names of the fields; a blank line, or one that is not a field, is an error."""
    if not head.endswith(b"\r\n"):
        raise UnsafeMailError("its head does not end with a line end")
    _check_lines(head)
    name = ""
    for line in head.removesuffix(b"\r\n").split(b"\r\n"):
        if name and _CONTINUATION.fullmatch(line):
            continue
        found = _FIELD.fullmatch(line)
        if not found:
            raise UnsafeMailError("a line of its head is not a header")
        name = found[1].decode()
        yield name


def _check_lines(text: bytes) -> None:
    ends = text.count(b"\r\n")
    if text.count(b"\r") != ends or text.count(b"\n") != ends:
        raise UnsafeMailError("it has a bare carriage return or line feed")
    if b"\0" in text:
        raise UnsafeMailError("it has a NUL character")
    if _longest_line(text) > LONGEST_LINE:
        raise UnsafeMailError(f"it has a line of more than {LONGEST_LINE} characters")


def _longest_line(text: bytes) -> int:
    """Without a copy: the text may be tens of megabytes."""
    longest = start = 0
    while (end := text.find(b"\r\n", start)) >= 0:
        longest, start = max(longest, end - start), end + 2
    return max(longest, len(text) - start)


def _leaves(text: bytes, start: int, end: int) -> Iterator[int]:
    """One for each part between two places that is not itself made of parts."""
    blank = text.find(b"\r\n\r\n", start, end)
    head = text[start : blank + 2] if blank >= 0 else b""
    boundary = _boundary(head)
    if boundary is None:
        yield 1
        return
    places = list(_places(text, b"\r\n--" + boundary, blank + 2, end))
    if len(places) < 2 or text[places[-1] : end].strip(b"\r\n") != b"--":  # noqa: PLR2004  # a part and the end
        raise UnsafeMailError("its parts have no end")
    for first, following in pairwise(places):
        yield from _leaves(text, first + 2, following - len(boundary) - 4)


def _boundary(head: bytes) -> bytes | None:
    """What separates the parts of a part; None if it has none."""
    names = Counter(_fields(head))
    if "Content-Type" not in names or names - _PART_FIELDS:
        raise UnsafeMailError("a part has headers that are not those of a part")
    found = _MULTIPART.search(head.replace(b"\r\n ", b" "))
    return found[1] if found else None


def _places(text: bytes, delimiter: bytes, start: int, end: int) -> Iterator[int]:
    """The places behind each delimiter."""
    while (place := text.find(delimiter, start, end)) >= 0:
        start = place + len(delimiter)
        yield start
