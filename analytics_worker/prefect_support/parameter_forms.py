"""Describe the parameters of a flow as a form of the Prefect UI, which shows one for the JSON schema of a parameter.

Reads nothing, writes nothing. A form changes the schema only: the flow gets what the caller sent, with all its keys, so
that programs that send plain mappings or whole rows are not affected (docs/decisions/parameter-forms.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema


class Form(BaseModel):
    """The fields of a form. Other keys are accepted, too, and forms are never instantiated."""

    model_config = ConfigDict(extra="allow")
    last: ClassVar[tuple[str, ...]] = ()
    """Inherited fields that the form shows at its end."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Number the fields: a server on PostgreSQL does not keep their order."""
        described = handler.resolve_ref_schema(handler(schema))
        fields = described["properties"]
        for position, name in enumerate(sorted(fields, key=cls.last.__contains__)):
            fields[name]["position"] = position
        return described


@dataclass(frozen=True)
class FormOf:
    """Show a parameter, which is a mapping, as a form: ``Annotated[dict[str, Any], FormOf(AlertForm)]``."""

    form: type[Form]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of the parameter for values, and that of the form as its description."""
        return core_schema.json_or_python_schema(
            json_schema=handler.generate_schema(self.form), python_schema=handler(source)
        )


def required(title: str, description: str, example: Any, **more: Any) -> Any:
    """Return a field that must be filled."""
    return Field(title=title, description=description, examples=[example], **more)


def optional(title: str, description: str, example: Any, **more: Any) -> Any:
    """Return a field that may stay empty: then the form does not send it."""
    no_default: Callable[[], NoReturn] = _no_default  # a default would be sent
    more.setdefault("default_factory", no_default)
    return Field(title=title, description=description, examples=[example], **more)


def preset(default: Any, title: str, description: str, **more: Any) -> Any:
    """Return a field that the form shows with its default."""
    return Field(default, title=title, description=description, examples=[default], **more)


def _no_default() -> NoReturn:
    raise TypeError("a form describes a parameter; it is not instantiated")


def listed_or_none(
    listed: str, none: str, example: list[str], *, pattern: str = r"\S"
) -> WithJsonSchema:
    """Show a list of texts, or nothing, as two choices.

    Args:
        listed: Label of the list.
        none: Label of what no list means.
        example: An example of the list.
        pattern: Regular expression that each text must match.
    """
    texts = {"type": "array", "items": {"type": "string", "pattern": pattern}, "title": listed}
    choices = [texts, {"type": "null", "title": none}]
    return WithJsonSchema({"anyOf": choices, "examples": [example]})
