"""Generate docs/settings.md from the settings model."""

import itertools
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from analytics_worker.documentation.env_file import SECTIONS, choices, default_text, parts
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
    options = choices(annotation)
    return f"One of {', '.join(f'`{option}`' for option in options)}." if options else ""


def _secret(annotation: Any) -> str:
    return "Secret." if SecretStr in parts(annotation) else ""
