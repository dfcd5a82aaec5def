"""Make text of unknown origin safe to print: in a log line, a terminal, an email, a chat message.

Reads nothing, writes nothing, and imports only the standard library. `one_line` is for everything that
has to stay one line (a subject, a log entry, the value behind ``Key:``), `printable` for text of several
lines. What would be invisible or change how its surroundings look (control characters, terminal
escapes, lone surrogates, overrides of the writing direction) becomes ``�`` and so stays visible.
"""

import re

MAX_LINE = 300
LINE_END = "⏎"
REPLACEMENT = "\ufffd"

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
