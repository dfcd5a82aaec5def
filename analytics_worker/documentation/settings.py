"""Generate docs/settings.md from the settings model."""

import itertools
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from analytics_worker.documentation.env_file import SECTIONS, default_text
from analytics_worker.settings import Settings

HEADER = """\
# Settings

Generated from `analytics_worker/settings/` by `python -m analytics_worker.documentation`. Sources, the
first one takes precedence: the environment, `.env` in the project root, and `stack.env`, which `make up`
writes. An empty variable counts as not set. Prefect's own `PREFECT_*` variables are described in its documentation.
"""


def settings_page() -> str:
    """Return the text of docs/settings.md: one table for each group of variables."""
    lines = [HEADER]
    for title, group in itertools.groupby(_titled_fields(), key=lambda item: item[0]):
        lines += [f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        lines += [_row(name, field) for _, name, field in group]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _titled_fields() -> list[tuple[str, str, FieldInfo]]:
    title, fields = "", list[tuple[str, str, FieldInfo]]()
    for name, field in Settings.model_fields.items():
        title = SECTIONS.get(name, title)
        fields.append((title, name, field))
    return fields


def _row(name: str, field: FieldInfo) -> str:
    default = default_text(field)
    shown = f"`{default}`" if default else ""
    notes = [str(field.description or ""), _choices(field.annotation), _secret(field.annotation)]
    return f"| `{name.upper()}` | {shown} | {' '.join(filter(None, notes))} |"


def _choices(annotation: Any) -> str:
    options = [
        o for part in _parts(annotation) if get_origin(part) is Literal for o in get_args(part)
    ]
    return f"One of {', '.join(f'`{option}`' for option in options)}." if options else ""


def _secret(annotation: Any) -> str:
    return "Secret." if SecretStr in _parts(annotation) else ""


def _parts(annotation: Any) -> list[Any]:
    """Return the members of a union, or the annotation itself."""
    return (
        list(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else [annotation]
    )
