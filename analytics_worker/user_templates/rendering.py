"""Render Jinja templates of users and of this project.

Reads nothing but the template and its context; writes nothing. A user's template gets plain values
only, can neither change them nor turn them into markup, and is bounded while it runs: in steps,
in the size of all its values, in processor time (:mod:`analytics_worker.user_templates.budget`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from analytics_worker.text import one_line
from analytics_worker.user_templates.budget import Budget, check_value, use_budget
from analytics_worker.user_templates.sandbox import Sandbox
from analytics_worker.user_templates.values import UserTemplateError, number_text, shorten_texts

__all__ = ["UserTemplateError", "number_text", "render", "render_project_template", "shorten_texts"]

MAX_TEXT = 200_000
MAX_SOURCE = 10_000
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
def _compile(source: str, *, html: bool) -> Template:
    if len(source) > MAX_SOURCE:
        raise UserTemplateError(f"template: the source is longer than {MAX_SOURCE:,} characters")
    try:
        return _sandbox(html=html).compile_template(source)
    except (RecursionError, SyntaxError, MemoryError):  # of Python's own parser
        raise UserTemplateError("template: it is nested too deeply") from None


def render(source: str, context: Mapping[str, Any], *, html: bool, limit: int = MAX_TEXT) -> str:
    """Render a user's template; values are escaped if it is HTML.

    Raises:
        UserTemplateError: it is not a valid template, uses an unknown or forbidden name, or exceeds a
            limit.
    """
    try:
        template = _compile(source, html=html)
        with use_budget(Budget()):
            return _render_parts(
                template, {name: check_value(value) for name, value in context.items()}, limit
            )
    except _AUTHOR_ERRORS as error:
        raise UserTemplateError(_error_text(error)) from None


def _error_text(error: Exception) -> str:
    message = error.message if isinstance(error, TemplateError) else str(error)
    line = getattr(error, "lineno", None)
    return one_line(f"template: {message}") + (f" (line {line})" if line else "")


def _render_parts(template: Template, context: dict[str, Any], limit: int) -> str:
    parts: list[str] = []
    size = 0
    for part in template.generate(context):
        size += len(part)
        if size > limit:
            raise UserTemplateError(f"template: the text is longer than {limit:,} characters")
        parts.append(part)
    return "".join(parts)


def render_project_template(source: str, context: Mapping[str, Any], *, html: bool) -> str:
    """Render a template of this project, without limits for its values."""
    return _project_template(source, html=html).render(context)


@lru_cache
def _project_template(source: str, *, html: bool) -> Template:
    environment = ImmutableSandboxedEnvironment(
        autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number_text
    return environment.from_string(source)
