"""The server checks a schema once, and every other one."""

from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import (
    _VALIDATOR,
    ValidationError,
    is_valid_schema,
    validate,
)

from analytics_worker.server import checked_schemas


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the schemas that are really checked."""
    found: list[Any] = []
    check = _VALIDATOR.check_schema

    def note(schema: Any, *options: Any, **named: Any) -> None:
        found.append(schema)
        check(schema, *options, **named)

    monkeypatch.setattr(_VALIDATOR, "check_schema", note)
    checked_schemas.check_schemas_once()
    return found


def schema_of(kind: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"name": {"type": kind}}}


def test_an_equal_schema_is_not_checked_again(checked):
    for _ in range(2):
        is_valid_schema(schema_of("string"))
        validate({"name": "a"}, schema_of("string"), raise_on_error=True)
    assert len(checked) == 2  # once with the formats, once without


def test_values_are_validated_each_time(checked):
    for _ in range(2):
        with pytest.raises(ValidationError):
            validate({"name": 1}, schema_of("string"), raise_on_error=True)
    assert len(checked) == 1


def test_a_changed_schema_is_checked(checked):
    is_valid_schema(schema_of("string"))
    with pytest.raises(ValueError, match="Invalid schema"):
        is_valid_schema(schema_of("text"))
    assert len(checked) == 2


def test_an_invalid_schema_is_refused_each_time(checked):
    for _ in range(2):
        with pytest.raises(ValueError, match="Invalid schema"):
            is_valid_schema(schema_of("text"))
    assert len(checked) == 2


def test_no_more_are_kept_than_a_server_has(checked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checked_schemas, "MOST", 2)
    for kind in ("string", "integer", "boolean", "string"):
        is_valid_schema(schema_of(kind))
    assert len(checked) == 4
