"""A result that an API caller stores is only data: tested with a real server and code that would run."""

import base64
import json
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.filesystems import LocalFileSystem
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_DEFAULT_RESULT_STORAGE_BLOCK,
    PREFECT_LOCAL_STORAGE_PATH,
    temporary_settings,
)

from analytics_worker.prefect_support.api_client import api_client
from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.prefect_support.run_results import ResultRefusedError
from analytics_worker.prefect_support.runs import find
from tests.support.attacks import attack
from tests.support.processes import Server

JSON = {"type": "json"}
PICKLE = {"type": "pickle"}
NAME = "0123456789abcdef" * 2


class FileCreator:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return subprocess.getoutput, (f"touch {self.path}",)


class AttackedServer:
    """A server whose runs get any state, and a file that code of the attacker would create."""

    def __init__(self, url: str, folder: Path) -> None:
        self.api = httpx.Client(base_url=url)
        self.folder = folder
        self.marker = folder / "marker"

    def run(self, data: object, kind: str = "COMPLETED") -> str:
        flow = self.api.post("/flows/", json={"name": "attacked"}).json()["id"]
        run = self.api.post("/flow_runs/", json={"flow_id": flow}).json()["id"]
        body = {"state": {"type": kind, "message": "m", "data": data}, "force": True}
        response = self.api.post(f"/flow_runs/{run}/set_state", json=body)
        assert response.json()["status"] == "ACCEPT"
        return run

    def store(self, result: str, serializer: object, name: str = NAME) -> str:
        path = self.folder / name
        metadata = {"storage_key": str(path), "serializer": serializer}
        path.write_text(json.dumps({"metadata": metadata, "result": result}))
        return str(path)

    def store_without_metadata(self) -> str:
        """Store a result as Prefect does without a block."""
        path = Path(self.store("", JSON))
        path.write_text(self.pickled)
        return str(path)

    @property
    def pickled(self) -> str:
        return base64.encodebytes(pickle.dumps(FileCreator(self.marker))).decode()


@pytest.fixture
def attacked(prefect_server: Server, tmp_path: Path) -> Iterator[AttackedServer]:
    server_settings: dict[Any, str] = {
        PREFECT_API_URL: prefect_server.api_url,
        PREFECT_LOCAL_STORAGE_PATH: str(tmp_path / "storage"),
    }
    with temporary_settings(server_settings):
        yield AttackedServer(prefect_server.api_url, tmp_path)


def reference(key: str, serializer: object = JSON, **more: object) -> dict[str, object]:
    return {"storage_key": key, "serializer": serializer, **more}


@attack(
    by="API caller",
    what="set_state with data that names a pickle: in the state, in the file behind it, compressed, or by default",
    answer="get() reports that results are read as JSON only; nothing is unpickled",
)
@pytest.mark.parametrize(
    "data",
    [
        lambda a: reference(a.store(a.pickled, PICKLE), PICKLE),
        lambda a: reference(a.store(a.pickled, PICKLE)),
        lambda a: reference(a.store(a.pickled, JSON), PICKLE),
        lambda a: {"storage_key": a.store(a.pickled, PICKLE)},
        lambda a: reference(a.store(a.pickled, {"type": "compressed/pickle"}), "compressed/pickle"),
        lambda a: reference(a.store(a.pickled, None)),
        lambda a: reference(a.store_without_metadata()),
        lambda a: reference(a.store_without_metadata(), PICKLE),
        lambda a: reference(a.store(a.pickled, "pickle")),
    ],
)
@pytest.mark.parametrize("kind", ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"])
def test_a_pickle_is_not_read(
    attacked: AttackedServer, data: Callable[[AttackedServer], Any], kind: str
):
    run = find(attacked.run(data(attacked), kind))
    with pytest.raises(ResultRefusedError, match=r'result_serializer="json"|stored as JSON'):
        run.get(timeout=5)
    assert not attacked.marker.exists()


@attack(
    by="API caller",
    what='a JSON result that names a function: {"__class__": "subprocess.getoutput", "data": {"cmd": …}}, or a decoder of its own',
    answer="get() returns the text; no name is imported, nothing is called",
)
def test_json_that_names_a_function_is_data(attacked: AttackedServer):
    command = {"cmd": f"touch {attacked.marker}"}
    content = json.dumps({"value": {"__class__": "subprocess.getoutput", "data": command}})
    decoder = {**JSON, "object_decoder": "subprocess.getoutput", "jsonlib": "pickle"}
    for serializer in (JSON, decoder):
        key = attacked.store(content, serializer)
        result = find(attacked.run(reference(key, serializer))).get(timeout=5)
        assert result == {"value": command}
    inline = {"__class__": "subprocess.getoutput", "data": command}
    assert find(attacked.run(inline)).get(timeout=5) == inline
    assert not attacked.marker.exists()


@attack(
    by="API caller",
    what="a result in a storage block of the caller, which reads any protocol, or as the server's default storage",
    answer="get() reads only the block that PREFECT_DEFAULT_RESULT_STORAGE_BLOCK of its process names",
)
def test_a_foreign_block_is_not_read(attacked: AttackedServer):
    block = LocalFileSystem(basepath=str(attacked.folder))
    block.save("results", overwrite=True, _sync=True)  # pyright: ignore[reportCallIssue]
    attacked.store(json.dumps({"status": "success"}), JSON)
    block_id = str(block._block_document_id)
    response = attacked.api.put(
        "/admin/storage", json={"default_result_storage_block_id": block_id}
    )
    assert response.is_success
    try:
        run = find(attacked.run(reference(NAME, storage_block_id=block_id)))
        with pytest.raises(ResultRefusedError, match="PREFECT_DEFAULT_RESULT_STORAGE_BLOCK"):
            run.get(timeout=5)
        with temporary_settings(
            {PREFECT_DEFAULT_RESULT_STORAGE_BLOCK: "local-file-system/results"}
        ):
            assert run.get(timeout=5) == {"status": "success"}
    finally:
        attacked.api.delete("/admin/storage")


@attack(
    by="API caller",
    what="a result that is a secret file, a FIFO, a folder, a path with NUL, or not a record",
    answer="get() names the path and quotes nothing of the file",
)
@pytest.mark.parametrize(
    "key",
    ["{folder}/secret", "{folder}/fifo", "{folder}", "a\0b", "../secret", "missing", "x" * 5000, 5],
)
def test_a_file_that_is_not_a_result_is_not_quoted(attacked: AttackedServer, key: Any):
    (attacked.folder / "storage").mkdir()
    (attacked.folder / "secret").write_text('"canary"')
    os.mkfifo(attacked.folder / "fifo")
    path = key.format(folder=attacked.folder) if isinstance(key, str) else key
    with pytest.raises(ResultRefusedError) as refused:
        find(attacked.run(reference(path))).get(timeout=5)
    assert "canary" not in str(refused.value)
    assert len(str(refused.value)) < 1000


@attack(
    by="API caller",
    what="state data whose pickle or compression library is any module: reading the state imports it",
    answer="The state is read and nothing is imported",
)
@pytest.mark.parametrize(
    "serializer",
    [
        {"type": "pickle", "picklelib": "hostile_library"},
        {"type": "compressed", "serializer": "json", "compressionlib": "hostile_library"},
    ],
)
def test_reading_a_state_imports_nothing(
    attacked: AttackedServer, serializer: Any, monkeypatch: pytest.MonkeyPatch
):
    source = f"import pathlib; pathlib.Path({str(attacked.marker)!r}).touch()"
    (attacked.folder / "hostile_library.py").write_text(source)
    monkeypatch.syspath_prepend(str(attacked.folder))
    run = find(attacked.run(reference("x", serializer)))
    with api_client() as client:
        assert client.read_flow_run(run.id).state
    assert run.successful()
    assert not attacked.marker.exists()


def test_our_own_results_are_read(attacked: AttackedServer):
    values = json.dumps({"at": {"__class__": "datetime.date", "data": "2026-01-02"}, "n": 1})
    run = find(attacked.run(reference(attacked.store(values, JSON))))
    assert run.get(timeout=5) == run.result == {"at": "2026-01-02", "n": 1}
    Path(attacked.store("", JSON)).write_text(values)  # as Prefect stores it without a block
    assert run.get(timeout=5) == {"at": "2026-01-02", "n": 1}
    assert find(attacked.run(None)).get(timeout=5) is None
    assert find(attacked.run([1, "two"])).get(timeout=5) == [1, "two"]


def test_a_stored_error_is_not_a_result(attacked: AttackedServer):
    error = json.dumps({"__exc_type__": "builtins.ValueError", "message": "bad"})
    run = find(attacked.run(reference(attacked.store(error, JSON)), "FAILED"))
    with pytest.raises(RunFailed, match="Failed: m"):
        run.get(timeout=5)
