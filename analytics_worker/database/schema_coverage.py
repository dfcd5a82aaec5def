"""Compare ANALYTICS_SCHEMAS with the schemas of the database: what is covered, and what could be.

Reads pg_catalog; writes nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, text

from analytics_worker.definitions.validation_messages import did_you_mean
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.text import first_of

OWN_SCHEMA = "ops"
MAX_NAMES = 12
_STATEMENT = Path(__file__).parent / "sql/schemas_with_relations.sql"


class SchemaSettingError(PermanentError):
    """ANALYTICS_SCHEMAS names a schema that must not be covered."""


def covered_schemas() -> list[str]:
    """Return the schemas of the setting, each once.

    Raises:
        SchemaSettingError: the worker's own schema is one of them.
    """
    schemas = list(dict.fromkeys(name for name in settings().analytics_schemas if name))
    if OWN_SCHEMA in schemas:
        raise SchemaSettingError(
            "ANALYTICS_SCHEMAS names ops, the worker's own schema, which user SQL may not read; remove it"
        )
    return schemas


def coverage_notes(connection: Connection) -> list[str]:
    """Return a line for what ANALYTICS_SCHEMAS misses; none if it covers what it names."""
    found = _schemas(connection)
    schemas = covered_schemas()
    missing = [name for name in schemas if name not in found]
    if not any(found.get(name) for name in schemas):
        return [_covers_nothing(schemas, found)]
    if "analytics_schemas" not in settings().model_fields_set:
        return []  # not all of the default ones need to exist
    return [
        f"ANALYTICS_SCHEMAS: no schema {name!r} found{_similar(name, found)}" for name in missing
    ]


def _similar(name: str, found: Mapping[str, int]) -> str:
    """Return the schema that was probably meant: names are written without quotes."""
    return did_you_mean(name.strip('"'), found)


def _covers_nothing(schemas: list[str], found: Mapping[str, int]) -> str:
    filled = {name: count for name, count in found.items() if count and "," not in name}
    start = f"ANALYTICS_SCHEMAS={','.join(schemas)} covers nothing: no relations found there."
    if not filled:
        return f"{start} No other schema has relations yet, either."
    listed = [f"{name} ({count:,} relations)" for name, count in filled.items()]
    return (
        f"{start} Set ANALYTICS_SCHEMAS={','.join(filled)} or some of them; this database has"
        f" {first_of(listed, MAX_NAMES)}"
    )


def _schemas(connection: Connection) -> dict[str, int]:
    rows = connection.execute(text(_STATEMENT.read_text()))
    return {str(name): int(count) for name, count in rows}
