"""Texts of the values that templates show.

Reads and writes nothing.
"""

from typing import Any

from analytics_worker.errors import PermanentError

_GREATEST = 1e15


class UserTemplateError(PermanentError):
    """The template can't be rendered; says what is wrong and on which line."""


def number_text(value: float | None) -> str:
    """A number as people read it: ``1,234.5``, at most six digits behind the point."""
    if value is None:
        return "none"
    if not -_GREATEST < value < _GREATEST:
        return f"{value:g}"
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def shortened(value: Any, longest: int) -> Any:
    """A copy of a plain value in which longer texts are cut, visibly."""
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[: longest - 1]}…"
    if isinstance(value, list):
        return [shortened(item, longest) for item in value]
    if isinstance(value, dict):
        return {key: shortened(item, longest) for key, item in value.items()}
    return value
