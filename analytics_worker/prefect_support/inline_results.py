"""Keep the result of a run in the data of its final state, where every host can read it.

State and result are one write: there is no run that has ended and whose result is somewhere else. Prefect's
server stores the data with the state and deletes it with the run. Reads Prefect's settings; writes nothing.
"""

import json
from typing import Any, cast

from prefect.client.schemas.objects import State
from prefect.results import ResultRecord  # pyright: ignore[reportPrivateImportUsage]  # as Prefect itself imports it
from prefect.serializers import JSONSerializer
from prefect.settings import get_current_settings
from pydantic import RootModel

MAX_INLINE_BYTES = 256 * 1024
"""Size up to which a result is in the state, which the server returns with every run; most have 1 kB."""
ENCODED_KEYS = frozenset({"__class__", "data"})
"""Keys of Prefect's encoding of a value that JSON does not have; the class is untrusted."""


class InlineData(RootModel[dict[str, Any]]):
    """A result as state data. Prefect would take a plain dict for a reference of which nothing is known."""


class InlineResult(ResultRecord[Any]):
    """A result whose reference is the result itself, so that Prefect sends it with the state."""

    metadata: Any


def with_inline_data(state: State[Any]) -> State[Any]:
    """Return the state of a flow with its result inside, if Prefect should not store it elsewhere."""
    data = None if _has_shared_storage() else inline_data(state.data)
    if data is None:
        return state
    record = InlineResult(metadata=InlineData(data), result=state.data)
    record.mark_persisted()
    return state.model_copy(update={"data": record})


def _has_shared_storage() -> bool:
    return get_current_settings().results.default_storage_block is not None


def inline_data(result: Any) -> dict[str, Any] | None:
    """Return the result as JSON that any database can store; None if it is large or looks like a reference.

    Values that JSON does not have become text.
    """
    if not isinstance(result, dict) or _looks_like_reference(cast("dict[str, Any]", result)):
        return None
    try:
        text = JSONSerializer().dumps(result)
        if len(text) > MAX_INLINE_BYTES:
            return None
        return cast("dict[str, Any]", _storable(json.loads(text, parse_constant=str)))
    except (ValueError, TypeError, RecursionError):
        return None


def _looks_like_reference(result: dict[str, Any]) -> bool:
    """Whether Prefect would take it for a reference to a result, or to none."""
    return "storage_key" in result or result.get("type") == "unpersisted"


def plain(value: dict[str, Any]) -> Any:
    """Return the text of a value that JSON does not have, or any other object as it is."""
    return value["data"] if value.keys() == ENCODED_KEYS else value


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, list):
        return [_storable(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return plain({_storable(key): _storable(each) for key, each in members.items()})
    return value
