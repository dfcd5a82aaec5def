"""Collect the mistakes of one request, so that one message names all of them. Reads nothing, writes nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel, ValidationError

from analytics_worker.errors import PermanentError

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)


class RequestProblems:
    """The mistakes of one request, in the order in which they were found."""

    def __init__(self, error: type[PermanentError]) -> None:
        self._error = error
        self._messages: list[str] = []
        self.fields: set[str] = set()
        """Names of the fields with mistakes."""

    def add(self, field: str, message: str) -> None:
        """Add a mistake of a field."""
        self.fields.add(field)
        self._messages.append(message)

    def checked(
        self, field: str, check: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """Return what a check returns; None if it refuses the field with this error."""
        try:
            return check(*args, **kwargs)
        except self._error as error:
            self.add(field, str(error))
            return None

    def validated(
        self, model: type[M], content: Mapping[str, Any], path: str, assumed: Mapping[str, Any]
    ) -> M | None:
        """Return the model of the fields without mistakes; None if it is not valid without them, either.

        Args:
            model: The model.
            content: All fields.
            path: Name of the parameter, for the messages.
            assumed: Values in place of required fields that have mistakes.
        """
        try:
            return model.model_validate(self._usable(content, assumed))
        except ValidationError as error:
            for field, message in _messages(error, path):
                self.add(field, message)
        try:
            return model.model_validate(self._usable(content, assumed))
        except ValidationError:
            return None

    def _usable(self, content: Mapping[str, Any], assumed: Mapping[str, Any]) -> dict[str, Any]:
        replaced = {key: value for key, value in assumed.items() if key in self.fields}
        return replaced | {key: value for key, value in content.items() if key not in self.fields}

    def raise_any(self) -> None:
        """Raise one error that names all mistakes, if there are any."""
        if self._messages:
            *others, last = dict.fromkeys(self._messages)
            raise self._error("; ".join([*(each.removesuffix(".") for each in others), last]))


def _messages(error: ValidationError, path: str) -> Iterator[tuple[str, str]]:
    for item in error.errors():
        field, *_ = (*item["loc"], "")
        location = ".".join(map(str, item["loc"]))
        yield str(field), f"{path}.{location}: {item['msg'].removeprefix('Value error, ')}"
