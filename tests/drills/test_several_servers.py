"""Two Prefect servers that share a PostgreSQL and a Redis, one of them killed in the middle of a burst.

Needs prefect-redis, which the worker does without: ``pip install prefect-redis``.
"""

import signal
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.support.case_runs import Workspace
from tests.support.contrib_postgres import ContribPostgres
from tests.support.load_balancer import LoadBalancer
from tests.support.lone_server import EVERYWHERE, LoneServer, own_address
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker
from tests.support.redis_server import RedisServer
from tests.support.stack import SMALL, RunningStack
from tests.support.wait_until import wait_until

RUNS, LIMIT, DONE_BEFORE = 24, 4, 6
SHARED = {
    "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
    "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
}
"""What several servers need besides the database and PREFECT_REDIS_MESSAGING_URL (docs/production.md)."""
pytestmark = pytest.mark.timeout(600)


@pytest.mark.skipif(find_spec("prefect_redis") is None, reason="prefect-redis is not installed")
def test_a_burst_survives_the_death_of_one_server(
    contrib_postgres: ContribPostgres, redis_server: RedisServer, tmp_path: Path
):
    with LoadBalancer() as balancer:
        shared = {
            "PREFECT_API_DATABASE_CONNECTION_URL": contrib_postgres.url,
            "PREFECT_REDIS_MESSAGING_URL": redis_server.url,
            "SERVER_ALLOWED_HOSTS": f"127.0.0.1:{balancer.port}",
            **SHARED,
        }
        first, second = (Server(tmp_path / name, **shared) for name in ("first", "second"))
        with first, second:
            balancer.backends = [first.port, second.port]
            work = Workspace(
                tmp_path / "flows", f"http://127.0.0.1:{balancer.port}/api", "burst", limit=LIMIT
            )
            environment = worker_environment(first, tmp_path) | {
                "PREFECT_API_URL": f"http://127.0.0.1:{balancer.port}/api"
            }
            with our_worker("burst", environment, tmp_path / "log"):
                survive(work, first, balancer)
            work.close()


def survive(work: Workspace, killed: Server, balancer: LoadBalancer) -> None:
    runs = [work.submit("sleeping", seconds=0.5) for _ in range(RUNS)]
    wait_until(lambda: completed(work, runs) >= DONE_BEFORE, timeout=120, interval=0.2)
    assert set(balancer.taken) == set(balancer.backends)  # both were used
    killed.end(signal.SIGKILL)
    states = work.wait_all(runs, timeout=240)
    assert [state.name for state in states] == ["Completed"] * RUNS
    for run in runs:  # none was started twice
        names = [state.name for state in work.client.read_flow_run_states(run)]
        assert names.count("Running") == 1
    assert most_at_once(work, runs) <= LIMIT


def completed(work: Workspace, runs: list[UUID]) -> int:
    return sum(work.state(run).is_completed() for run in runs)


def most_at_once(work: Workspace, runs: list[UUID]) -> int:
    """Return how many runs were in progress at the same time."""
    known = [work.read(run) for run in runs]
    starts = [(run.start_time, 1) for run in known if run.start_time]
    ends = [(run.end_time, -1) for run in known if run.end_time]
    now = most = 0
    for _, change in sorted([*starts, *ends]):
        now += change
        most = max(most, now)
    return most


def test_one_server_alone_on_postgresql_says_so(contrib_postgres: ContribPostgres, tmp_path: Path):
    url = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": contrib_postgres.url}
    with LoneServer(tmp_path, **url) as server:
        assert "Database: PostgreSQL" in server.output()
        assert not (server.state_dir / "prefect/prefect.db").exists()


def test_the_server_of_make_up_listens_elsewhere(tmp_path: Path):
    """As README says: other hosts reach it, with the login that was created."""
    variables = {"PREFECT_SERVER_API_HOST": EVERYWHERE, "SERVER_LOGIN": "auto"}
    stack = RunningStack(tmp_path / "state", variables=variables)
    try:
        stack.start(*SMALL)
        address = f"http://{own_address()}:{stack.port}/api/admin/version"
        assert httpx.get(address).status_code == httpx.codes.UNAUTHORIZED
        user, _, password = str(stack.login).partition(":")
        assert httpx.get(address, auth=(user, password)).is_success
        assert f"The server listens on {EVERYWHERE}:{stack.port}" in stack.output
    finally:
        stack.stop(signal.SIGTERM)
