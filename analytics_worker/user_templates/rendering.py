"""Jinja templates: those that users wrote, and those of this project.

Reads nothing but the template and its context; writes nothing. A user's template sees plain values
only, can change none of them, can make no markup of them, and is bounded while it runs: in steps,
in the size of all its values, in processor time (:mod:`analytics_worker.user_templates`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from analytics_worker.text import one_line
from analytics_worker.user_templates.budget import Budget, checked, rendering
from analytics_worker.user_templates.sandbox import Sandbox
from analytics_worker.user_templates.values import UserTemplateError, number_text, shortened

__all__ = ["UserTemplateError", "number_text", "render", "render_own", "shortened"]

LIMIT = 200_000
LONGEST_SOURCE = 10_000
_AUTHOR_ERRORS = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    AssertionError,  # truncate(1) of Jinja
)


@lru_cache
def _sandbox(*, html: bool) -> Sandbox:
    return Sandbox(html=html)


@lru_cache(maxsize=256)
def _compiled(source: str, *, html: bool) -> Template:
    if len(source) > LONGEST_SOURCE:
        raise UserTemplateError(
            f"template: the source is longer than {LONGEST_SOURCE:,} characters"
        )
    try:
        return _sandbox(html=html).compiled(source)
    except (RecursionError, SyntaxError, MemoryError):  # of Python's own parser
        raise UserTemplateError("template: too many levels inside each other") from None


def render(source: str, context: Mapping[str, Any], *, html: bool, limit: int = LIMIT) -> str:
    """The text of a user's template; values are escaped if it is HTML.

    Raises:
        UserTemplateError: it is no template, uses what is not there or not allowed, or is past a
            bound.
    """
    try:
        template = _compiled(source, html=html)
        with rendering(Budget()):
            return _joined(
                template, {name: checked(value) for name, value in context.items()}, limit
            )
    except _AUTHOR_ERRORS as error:
        raise UserTemplateError(_described(error)) from None


def _described(error: Exception) -> str:
    said = error.message if isinstance(error, TemplateError) else str(error)
    line = getattr(error, "lineno", None)
    return one_line(f"template: {said}") + (f" (line {line})" if line else "")


def _joined(template: Template, context: dict[str, Any], limit: int) -> str:
    parts: list[str] = []
    size = 0
    for part in template.generate(context):
        size += len(part)
        if size > limit:
            raise UserTemplateError(f"template: the text is longer than {limit:,} characters")
        parts.append(part)
    return "".join(parts)


def render_own(source: str, context: Mapping[str, Any], *, html: bool) -> str:
    """The text of a template of this project, which any value of any length may pass through."""
    return _own(source, html=html).render(context)


@lru_cache
def _own(source: str, *, html: bool) -> Template:
    environment = ImmutableSandboxedEnvironment(
        autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number_text
    return environment.from_string(source)
