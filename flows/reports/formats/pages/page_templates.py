"""Render the templates of pages and charts: sandboxed, with every value escaped.

Reads ``templates`` beside it; writes nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

_FOLDER = Path(__file__).with_name("templates")


def render_template(name: str, context: Mapping[str, Any]) -> str:
    """Render ``<name>.jinja`` with these values."""
    return _environment().get_template(f"{name}.jinja").render(context)


@lru_cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["css_string"] = css_string
    return environment


def css_string(text: str) -> Markup:
    """Return a text as a string of CSS: all but letters, digits and spaces as escapes.

    So no character can end the string, or the style element around it.
    """
    escaped = "".join(c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in text)
    return Markup('"{}"').format(Markup(escaped))  # noqa: S704  # no character of markup is left
