"""Make text of unknown origin safe to print: in a log line, a terminal, an email, a chat message.

Reads nothing, writes nothing, and imports only the standard library. `one_line` is for everything that
has to stay one line (a subject, a log entry, the value behind ``Key:``), `printable` for text of several
lines. What would be invisible or change how its surroundings look (control characters, terminal
escapes, lone surrogates, overrides of the writing direction) becomes ``�`` and so stays visible.
"""

import hashlib
import re
from collections.abc import Sequence

MAX_LINE = 300
LINE_END = "⏎"
REPLACEMENT = "\ufffd"

HASH_LENGTH = 32
_HASH = re.compile(rf"#[0-9a-f]{{{HASH_LENGTH}}}")
_LINE_ENDS = re.compile(r"\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNSAFE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"  # control characters, the escape of terminals included
    r"\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates of the writing direction
    r"\ud800-\udfff]"  # lone surrogates: no encoding of Unicode can carry them
)


def one_line(text: str, limit: int = MAX_LINE, *, line_end: str = " ") -> str:
    """Return the text as one line without surplus spaces, shortened visibly to ``limit``.

    Args:
        text: Anything.
        limit: The greatest number of characters.
        line_end: The replacement of a line end; ``LINE_END`` shows where the lines ended.
    """
    flat = " ".join(_UNSAFE.sub(REPLACEMENT, _LINE_ENDS.sub(line_end, text)).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def value_line(text: str, limit: int = MAX_LINE) -> str:
    """Return a value from data as one line that shows where its lines ended."""
    return one_line(text, limit, line_end=LINE_END)


def printable(text: str) -> str:
    """Return the text with its lines, each ended by a newline only, and nothing unsafe in them."""
    return _UNSAFE.sub(REPLACEMENT, _LINE_ENDS.sub("\n", text))


def shorten_with_hash(text: str, limit: int) -> str:
    """Return the printable beginning of a text and a hash of all of it, at most ``limit`` characters.

    Different texts stay different; see `contains_hash` for texts that imitate such a result.
    """
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:HASH_LENGTH]
    beginning = "".join(filter(str.isprintable, text))[: limit - len(digest) - 3]
    return f"{beginning}\u2026 #{digest}" if beginning else f"#{digest}"


def contains_hash(text: str) -> bool:
    """Return whether a text could be taken for a result of `shorten_with_hash`."""
    return _HASH.search(text) is not None


def first_of(texts: Sequence[str], limit: int, separator: str = ", ") -> str:
    """Return the first texts, and how many more there are: "a, b and 3 more"."""
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return separator.join(texts[:limit]) + more


def counted(count: int, noun: str) -> str:
    """Return a number of things, such as "1 rule" and "2 rules"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
