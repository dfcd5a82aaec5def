"""Read definitions/trust.yml: the event-time columns of relations.

Reads the file; writes nothing. Without a file, only dbt declares columns.
"""

import re
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict

from analytics_worker.definitions.text_types import Line, matching
from analytics_worker.definitions.yaml_definitions import DefinitionError, Document, read, validate
from analytics_worker.settings import project_root
from analytics_worker.timezones import Timezone

FILE = "trust.yml"
_NAME = r'(?:[^".\s]+|"(?:[^"]|"")+")'
RelationName = Annotated[
    str,
    matching(
        rf"{_NAME}\.{_NAME}",
        'is not a relation; expected schema.name, with quotes around names that need them in SQL: raw."Orders"',
    ),
]


class Watermark(BaseModel):
    """The event-time column of a relation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    column: Line
    timezone: Timezone | None = None
    """Time zone of a date, or of a timestamp without time zone."""


def _full(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


class TrustDefinition(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    timezone: Timezone | None = None
    """Time zone of the columns without one of their own."""
    watermark: dict[RelationName, Annotated[Watermark, BeforeValidator(_full)]] = {}


class Declaration(NamedTuple):
    """A declared event-time column."""

    schema: str
    relation: str
    column: str
    timezone: str | None
    origin: str


def load_watermarks(folder: Path | None = None) -> list[Declaration]:
    """Return the columns that the file declares.

    Raises:
        DefinitionError: the file is not valid; one line for each mistake.
    """
    path = (folder or project_root() / "definitions") / FILE
    if not path.exists():
        return []
    document = read(path)
    definition, mistakes = validate(document, (), TrustDefinition, document.data)
    if definition is None:
        raise DefinitionError(mistakes)
    return _declarations(document, definition)


def _declarations(document: Document, definition: TrustDefinition) -> list[Declaration]:
    found: dict[tuple[str, ...], Declaration] = {}
    for name, each in definition.watermark.items():
        schema, relation = map(_unquoted, re.findall(_NAME, name))
        if (schema, relation) in found:
            problem = f"watermark: {name} appears twice; remove one of them"
            raise DefinitionError([document.at(("watermark", name), problem)])
        timezone = each.timezone or definition.timezone
        found[schema, relation] = Declaration(schema, relation, each.column, timezone, FILE)
    return list(found.values())


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
