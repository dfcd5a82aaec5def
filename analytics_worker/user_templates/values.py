"""Format the values that templates show.

Reads and writes nothing.
"""

from typing import Any

from analytics_worker.errors import PermanentError

_MAX_PLAIN = 1e15


class UserTemplateError(PermanentError):
    """The template can't be rendered; the message gives the reason and the line."""


def number_text(value: float | None) -> str:
    """Format a number for readers: ``1,234.5``, with at most six decimal places."""
    if value is None:
        return "none"
    if isinstance(value, int):
        return f"{value:,}"
    if not -_MAX_PLAIN < value < _MAX_PLAIN:
        return f"{value:g}"
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def shorten_texts(value: Any, limit: int) -> Any:
    """Return a copy of a plain value in which longer texts are cut visibly."""
    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[: limit - 1]}…"
    if isinstance(value, list):
        return [shorten_texts(item, limit) for item in value]
    if isinstance(value, dict):
        return {key: shorten_texts(item, limit) for key, item in value.items()}
    return value
