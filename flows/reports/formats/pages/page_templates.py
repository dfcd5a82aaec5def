"""Render the templates of pages and charts: sandboxed, with every value escaped.

Reads ``templates`` beside it; writes nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

_FOLDER = Path(__file__).with_name("templates")


def render_template(name: str, context: Mapping[str, Any]) -> str:
    """Render ``<name>.jinja`` with these values."""
    return _environment().get_template(f"{name}.jinja").render(context)


@lru_cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
