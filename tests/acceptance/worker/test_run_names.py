"""Names of runs that the worker starts: they cost no request of their own until there is an outcome."""

from pathlib import Path

from tests.support.case_runs import Workspace
from tests.support.ports import free_port
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker
from tests.support.slow_proxy import SlowProxy

PLAIN = """
from prefect import flow

@flow(timeout_seconds=60)
def plain(): ...
"""
NAMED = """
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import flow_result

@flow(
    timeout_seconds=60,
    run_name=lambda values, due: "count: " + values["what"],
    outcome=lambda result: result["message"],
)
def named(what: str, message: str = ""):
    return flow_result("success", message)
"""


def test_a_name_costs_no_request_until_there_is_an_outcome(tmp_path: Path):
    port = free_port()
    hosts = {"SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port}"}
    with Server(tmp_path / "prefect", **hosts) as server:
        workspace = Workspace(tmp_path / "flows", server.api_url, "named", limit=1)
        (workspace.directory / "plain.py").write_text(PLAIN)
        (workspace.directory / "named.py").write_text(NAMED)
        environment = worker_environment(server, tmp_path)
        environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        with (
            SlowProxy(("127.0.0.1", port), ("127.0.0.1", server.port)) as proxy,
            our_worker(workspace.pool, environment, tmp_path / "worker.log"),
        ):
            runs = [
                workspace.submit("plain"),
                workspace.submit("named", what="{orders}"),
                workspace.submit("named", what="orders", message="3 found"),
            ]
            states = workspace.wait_all(runs)
            changes = [proxy.count(f"PATCH /api/flow_runs/{run}") for run in runs]
        names = [workspace.read(run).name for run in runs[1:]]
        workspace.close()
    assert [state.name for state in states] == ["Completed"] * 3
    assert names == ["count: {orders}", "count: orders (3 found)"]
    assert changes[1:] == [changes[0], changes[0] + 1]
