"""Define the types of settings: how the text of a variable becomes a value. Reads nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    SecretStr,
)
from pydantic_settings import NoDecode


def project_root() -> Path:
    """Return the folder of the checkout or installation of this code."""
    return Path(__file__).resolve().parents[2]


def below_root(value: object) -> object:
    """Resolve a relative path against the project root."""
    return project_root() / str(value) if value else value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def below_root_each(value: str | list[str]) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    return [below_root(part.strip()) for part in parts if part.strip()]


def _off_is_zero(value: object) -> object:
    return 0 if isinstance(value, str) and value.strip().lower() in OFF else value


def on_or_off(value: object) -> object:
    """Accept for on and off what a switch accepts: true, yes, 1, false, no, 0."""
    word = value.strip().lower() if isinstance(value, str) else value
    return "on" if word in ON else "off" if word in OFF else word


def in_state_dir(name: str) -> Callable[[dict[str, Any]], Path]:
    return lambda values: values["state_dir"] / name


def same_as(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda values: values.get(name)


ON, OFF = frozenset({"on", "true", "yes", "1"}), frozenset({"off", "false", "no", "0"})
ProjectPath = Annotated[Path, BeforeValidator(below_root)]
OptionalPath = Annotated[
    Path | None, BeforeValidator(lambda value: below_root(value) if value else None)
]
Port = Annotated[int, Field(ge=1, le=65535)]
Secret = SecretStr | None
Text = str | None
Folders = Annotated[list[Path], NoDecode, BeforeValidator(below_root_each)]
Limit = Annotated[NonNegativeInt | None, BeforeValidator(_off_is_zero)]
REPLACED_PREFIXES = ("Not used: ", "Deprecated: ")
Names = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Ports = Annotated[list[Port], NoDecode, BeforeValidator(_split)]
DbtSteps = Annotated[list[Literal["deps", "seed", "snapshot"]], NoDecode, BeforeValidator(_split)]
