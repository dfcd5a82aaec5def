"""Say in one line which variable is not valid, and what is expected. Reads nothing, writes nothing.

The value is repeated unless it is a secret.
"""

import re
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from analytics_worker.errors import ConfigurationError

SHOWN = 80
CONSEQUENCE = "default_factory_not_called"  # of another variable that was refused
EXPECTED = {
    "bool_parsing": "on or off",
    "bool_type": "on or off",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than_equal": "a number of at most {le:g}",
}


class InvalidSettingError(ConfigurationError):
    """A variable is not valid; the message names it, its value and what is expected."""


def invalid_setting(
    error: ValidationError | SettingsError, model: type[BaseModel]
) -> InvalidSettingError:
    """Return the error that names each variable that was refused."""
    if isinstance(error, ValidationError):
        refused = (each for each in error.errors() if each["type"] != CONSEQUENCE)
        lines = [_line(each, model) for each in refused]
    else:  # JSON that can't be read; the message names the field
        name = (re.findall(r'field "(\w+)"', str(error)) or ["a variable"])[0]
        lines = [f"{name.upper()} is not valid; expected {_expected_of(name, model) or 'JSON'}"]
    return InvalidSettingError("; ".join(dict.fromkeys(lines)))


def _line(error: ErrorDetails, model: type[BaseModel]) -> str:
    name = str(error["loc"][0]) if error["loc"] else "a variable"
    if error["type"] == "value_error":  # whose message is complete
        return f"{name.upper()}: {error['msg'].removeprefix('Value error, ')}"
    value = "" if _is_secret(name, model) else f"={str(error['input'])[:SHOWN]!r}"
    expected = _expected_of(name, model) or _expected(error)
    return f"{name.upper()}{value} is not valid; expected {expected}"


def _expected(error: ErrorDetails) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    if error["type"] == "literal_error":
        return str(context["expected"]).replace("'", "")
    template = EXPECTED.get(error["type"])
    return template.format(**context) if template else error["msg"]


def _expected_of(name: str, model: type[BaseModel]) -> str | None:
    """Return what the field itself says that it expects."""
    field = model.model_fields.get(name.lower())
    extra = field.json_schema_extra if field else None
    return str(extra["expected"]) if isinstance(extra, dict) and "expected" in extra else None


def _is_secret(name: str, model: type[BaseModel]) -> bool:
    field = model.model_fields.get(name.lower())
    return field is None or SecretStr.__name__ in repr(field.annotation)
