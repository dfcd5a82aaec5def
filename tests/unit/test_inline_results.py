"""The result of a run is in its state, where any host reads it, with any value in it."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.inline_results import MAX_INLINE_BYTES, inline_data
from analytics_worker.prefect_support.results import RunFailed, flow_result
from analytics_worker.prefect_support.run_results import ResultRefusedError
from analytics_worker.prefect_support.runs import find

LARGE = "x" * MAX_INLINE_BYTES


VALUES: dict[str, tuple[Any, Any]] = {
    "plain": ({"a": [1, None, True, "ü"]}, {"a": [1, None, True, "ü"]}),
    "strings": ({"nul": "a\0b", "half": "\ud800"}, {"nul": "a\ufffdb", "half": "?"}),
    "numbers": ([math.nan, math.inf], ["NaN", "Infinity"]),
    "code": ({"__class__": "os.system", "data": "x"}, "x"),
    "instant": (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
    "large": (LARGE, LARGE),
}
"""What a flow returns, and what is read."""


@flow(timeout_seconds=60)
def returns(status: Any, value: str) -> Any:
    return {**flow_result(status, "a message"), "extra": VALUES[value][0]}


@flow(timeout_seconds=60)
def raises() -> Any:
    raise ValueError("it is wrong")


def elsewhere(state: Any, tmp_path: Path) -> Any:
    """What another host reads, which has none of this one's files."""
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: str(tmp_path / "other")}):
        for file in tmp_path.glob("storage/*"):
            file.rename(file.with_suffix(".elsewhere"))
        return find(state.state_details.flow_run_id).get(timeout=5)


@pytest.fixture(autouse=True)
def storage(request: pytest.FixtureRequest, tmp_path: Path):
    request.getfixturevalue("prefect_api")
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: str(tmp_path / "storage")}):
        yield


@pytest.mark.parametrize(
    ("status", "value"),
    [
        ("success", "plain"),
        ("partial", "strings"),
        ("skipped", "numbers"),
        ("success", "code"),
        ("failed", "instant"),
    ],
)
def test_a_result_is_read_on_any_host(tmp_path: Path, status: str, value: str):
    state = returns(status, value, return_state=True)
    result = elsewhere(state, tmp_path)
    assert (result["status"], result["extra"]) == (status, VALUES[value][1])
    assert not list(tmp_path.glob("storage/*"))
    with get_client(sync_client=True) as client:  # Prefect's own way to read it
        stored = client.read_flow_run(state.state_details.flow_run_id).state
    assert stored is not None
    if stored.is_completed():
        assert stored.result() == result


def test_an_error_is_read_on_any_host(tmp_path: Path):
    assert elsewhere(raises(return_state=True), tmp_path)["error"] == "it is wrong"


def test_a_large_result_is_a_file_of_this_host_and_the_error_elsewhere_says_so(tmp_path: Path):
    state = returns("success", "large", return_state=True)
    assert find(state.state_details.flow_run_id).get(timeout=5)["extra"] == LARGE
    with pytest.raises(ResultRefusedError, match="not on this host: results of more than 256 kB"):
        elsewhere(state, tmp_path)


def test_a_failure_with_a_large_result_is_a_failure_elsewhere(tmp_path: Path):
    state = returns("failed", "large", return_state=True)
    with pytest.raises(RunFailed, match="Failed: a message"):
        elsewhere(state, tmp_path)


def test_a_result_that_looks_like_a_reference_is_not_in_the_state():
    assert inline_data({"status": "success", "storage_key": "x"}) is None
    assert inline_data({"type": "unpersisted"}) is None
    assert inline_data({"type": "other"}) == {"type": "other"}
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    assert inline_data({"nested": nested}) is None
