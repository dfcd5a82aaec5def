"""Read definitions/trust.yml: the event-time columns, contracts and promises of relations.

Reads the file; writes nothing. Without a file, only dbt declares columns, and there are no contracts or promises.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict

from analytics_worker.calendars.promise import Promise
from analytics_worker.contracts.model import Contract
from analytics_worker.definitions.text_types import Line, matching
from analytics_worker.definitions.yaml_definitions import DefinitionError, Document, read, validate
from analytics_worker.settings import project_root
from analytics_worker.timezones import UTC, Timezone

FILE = "trust.yml"
Section = Literal["watermark", "contracts", "promise"]
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
    """Time zone of the columns and promises without one of their own."""
    watermark: dict[RelationName, Annotated[Watermark, BeforeValidator(_full)]] = {}
    contracts: dict[RelationName, Contract] = {}
    promise: dict[RelationName, Promise] = {}


class Declaration(NamedTuple):
    """A declared event-time column."""

    schema: str
    relation: str
    column: str
    timezone: str | None
    origin: str


class DeclaredContract(NamedTuple):
    """The contract of a relation."""

    schema: str
    relation: str
    contract: Contract


class RelationPromise(NamedTuple):
    """The promise of a relation."""

    schema: str
    relation: str
    promise: Promise
    timezone: str
    """Time zone of a promise without one of its own."""


def trust_path(folder: Path | None = None) -> Path:
    """Return the path of the file, which may not exist."""
    return (folder or project_root() / "definitions") / FILE


def load_watermarks(folder: Path | None = None) -> list[Declaration]:
    """Return the columns that the file declares.

    Raises:
        DefinitionError: the file is not valid; one line for each mistake.
    """
    definition = _read(folder, "watermark")
    return [
        Declaration(*_pair(name), each.column, each.timezone or definition.timezone, FILE)
        for name, each in definition.watermark.items()
    ]


def load_contracts(folder: Path | None = None) -> list[DeclaredContract]:
    """Return the contracts that the file declares.

    Raises:
        DefinitionError: the file is not valid; one line for each mistake.
    """
    definition = _read(folder, "contracts")
    return [
        DeclaredContract(*_pair(name), contract) for name, contract in definition.contracts.items()
    ]


def load_promises(folder: Path | None = None) -> list[RelationPromise]:
    """Return the promises of relations.

    Raises:
        DefinitionError: the file is not valid; one line for each mistake.
    """
    definition = _read(folder, "promise")
    return [
        RelationPromise(*_pair(name), promise, definition.timezone or UTC)
        for name, promise in definition.promise.items()
    ]


def _read(folder: Path | None, section: Section) -> TrustDefinition:
    """Return the content of the file, in one section of which each relation has one name."""
    path = trust_path(folder)
    if not path.exists():
        return TrustDefinition()
    document = read(path)
    definition, mistakes = validate(document, (), TrustDefinition, document.data)
    if definition is None:
        raise DefinitionError(mistakes)
    _refuse_duplicates(document, section, getattr(definition, section))
    return definition


def _refuse_duplicates(document: Document, section: str, names: Iterable[str]) -> None:
    found = set[tuple[str, str]]()
    for name in names:
        pair = _pair(name)
        if pair in found:
            problem = f"{section}: {name} appears twice; remove one of them"
            raise DefinitionError([document.at((section, name), problem)])
        found.add(pair)


def _pair(name: str) -> tuple[str, str]:
    schema, relation = (
        part[1:-1].replace('""', '"') if part.startswith('"') else part
        for part in re.findall(_NAME, name)
    )
    return schema, relation
