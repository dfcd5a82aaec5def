"""Data of a state, which any caller of the API can set, makes no process of the worker import anything."""

from collections.abc import Callable
from pathlib import Path

from tests.support.attacks import attack
from tests.support.case_runs import Workspace
from tests.support.processes import Process
from tests.support.waiting import wait_until


@attack(
    by="API caller",
    what="set_state of a run in progress with data that names any module as its pickle library",
    answer="Neither the worker nor the run's process imports it; the run is cancelled as any other",
)
def test_the_worker_does_not_import_what_a_state_names(
    pool: Workspace, start_worker: Callable[..., Process], tmp_path: Path
):
    marker, libraries = tmp_path / "imported", tmp_path / "libraries"
    libraries.mkdir()
    source = f"import pathlib; pathlib.Path({str(marker)!r}).touch()"
    (libraries / "hostile_library.py").write_text(source)
    serializer = {"type": "pickle", "picklelib": "hostile_library"}
    start_worker(PYTHONPATH=str(libraries))
    run = pool.submit("sleeping", seconds=600)
    pool.wait(run, "Running")
    data = {"storage_key": "x", "serializer": serializer}
    body = {"state": {"type": "CANCELLING", "data": data}, "force": True}
    one = {"id": str(run)}
    pool.client.request("POST", "/flow_runs/{id}/set_state", path_params=one, json=body)

    def ended() -> bool:
        row = pool.client.request("GET", "/flow_runs/{id}", path_params=one).json()
        return row["state_type"] == "CANCELLED"

    wait_until(ended, timeout=120, interval=0.2)
    assert not marker.exists()
