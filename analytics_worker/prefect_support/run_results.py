"""Read the result of a run as plain JSON: nothing that the API or a file names is executed or imported.

Any API caller can set the data of a run's state: a serializer (pickle), a storage block, a path. Prefect's
``state.result()`` follows it, and its JSON serializer also calls functions that the data names. Reads the
Prefect API and, for a result that is not in the state itself, one file or the block that this process names;
writes nothing.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect.blocks.core import Block
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings

from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.inline_results import MAX_INLINE_BYTES, plain
from analytics_worker.text import value_line

MAX_BYTES = 64 * 1024 * 1024
EXCEPTION_KEY = "__exc_type__"
RECORD_KEYS = ["metadata", "result"]
GENERATED_NAME = re.compile("[0-9a-f]{32}")
STORAGE_VARIABLE = "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK"


class ResultRefusedError(PermanentError):
    """A run's result is not JSON in our storage; the message says what it is and how to fix it."""


class ResultElsewhereError(ResultRefusedError):
    """A run's result is a file of another host."""


def read_run(client: SyncPrefectClient, run: UUID) -> dict[str, Any]:
    """Return a flow run as JSON: Prefect's model of its state would import what the state's data names.

    Raises:
        ObjectNotFound: there is no such run.
    """
    try:
        return client.request("GET", "/flow_runs/{id}", path_params={"id": str(run)}).json()
    except PrefectHTTPStatusError as error:
        if error.response.status_code == HTTPStatus.NOT_FOUND:
            raise ObjectNotFound(http_exc=error) from error
        raise


def read_state(client: SyncPrefectClient, run: UUID) -> tuple[State[Any] | None, Any]:
    """Return the state of a run without its data, and its data as JSON."""
    state = read_run(client, run).get("state")
    if not state:
        return None, None
    return State.model_validate({**state, "data": None}), state.get("data")


def read_result(data: Any) -> Any:
    """Return the result that the data of a state refers to; values that JSON does not have stay encoded.

    Raises:
        ResultRefusedError: it is not JSON, or not in our storage.
    """
    if not isinstance(data, Mapping) or "storage_key" not in data:
        return data
    reference = cast("Mapping[str, Any]", data)
    _check_serializer(reference)
    content = _read_content(str(reference["storage_key"]), reference.get("storage_block_id"))
    try:
        return _decode(content)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        key = value_line(str(reference["storage_key"]))
        raise ResultRefusedError(f"{key} is not a result that Prefect stored as JSON") from None


def _decode(content: bytes) -> Any:
    """Return the result of the content, which is the result itself or Prefect's record of one."""
    result: Any = json.loads(content, object_hook=plain)
    if not (isinstance(result, dict) and sorted(cast("dict[str, Any]", result)) == RECORD_KEYS):
        return cast("Any", result)
    _check_serializer(result["metadata"])
    text: Any = result["result"]
    return json.loads(text, object_hook=plain) if isinstance(text, str) else text


def is_exception(result: Any) -> bool:
    """Whether the result is the error that ended the run."""
    return isinstance(result, Mapping) and EXCEPTION_KEY in result


def _check_serializer(reference: Mapping[str, Any]) -> None:
    serializer = reference.get("serializer") or {}
    kind = serializer.get("type", "pickle") if isinstance(serializer, Mapping) else serializer
    if kind != "json":
        raise ResultRefusedError(
            f"The run's result is stored as {value_line(str(kind))!r}, which can execute code when it"
            ' is read; expected a flow with result_serializer="json"'
        )


def _read_content(key: str, block: object) -> bytes:
    if block is not None:
        return _read_from_block(key, str(block))
    folder = Path(get_current_settings().results.local_storage_path)
    path = folder / key
    try:
        if not _may_be_result(path, folder) or not path.is_file():
            raise ResultElsewhereError(
                f"The run's result {value_line(str(path))} is not on this host: results of more than"
                f" {MAX_INLINE_BYTES // 1024} kB, and those of before this version, are files of the"
                f" worker's host unless {STORAGE_VARIABLE} names a block"
            )
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ResultRefusedError(
            f"The run's result {value_line(key)} cannot be read: {reason}"
        ) from None
    return _check_size(content)


def _may_be_result(path: Path, folder: Path) -> bool:
    """Whether the path is in this process's storage, or has a name that Prefect generates for results."""
    inside = path.resolve().is_relative_to(folder.resolve())
    return inside or GENERATED_NAME.fullmatch(path.name) is not None


def _read_from_block(key: str, block_id: str) -> bytes:
    """Read from the block that this process is configured with, never from one that data names."""
    name = get_current_settings().results.default_storage_block
    block: Any = Block.load(name, _sync=True) if name else None  # pyright: ignore[reportCallIssue]
    if block is None or str(block._block_document_id) != block_id:  # noqa: SLF001  # its only id
        raise ResultRefusedError(
            f"The run's result is in the storage block {value_line(block_id)}, which {STORAGE_VARIABLE} does not"
            " name here; set it to that block's type/name if the block is yours"
        )
    return _check_size(block.read_path(key, _sync=True))


def _check_size(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise ResultRefusedError(f"The run's result is larger than {MAX_BYTES:,} bytes")
    return content
