"""A proxy or login page that answers in place of the Prefect API is no error of the worker."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.case_runs import Workspace
from tests.support.load_balancer import LoadBalancer
from tests.support.login_page import LoginPage
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker
from tests.support.wait_until import wait_until

SAYS = "answered with text/html in place of JSON"


class _Proxied(NamedTuple):
    """A worker that reaches its server through a proxy, which can answer with a login page instead."""

    work: Workspace
    worker: Process
    proxy: LoadBalancer
    server: Server
    page: LoginPage

    def lead_to(self, target: Server | LoginPage) -> None:
        """Connect clients to it from now on."""
        self.proxy.backends = [target.port]
        self.proxy.end_connections()


@pytest.fixture
def proxied(prefect_server: Server, tmp_path: Path) -> Iterator[_Proxied]:
    prefect_server.copy_database(tmp_path / "server")
    with LoadBalancer() as proxy, LoginPage() as page:
        host = f"127.0.0.1:{proxy.port}"
        with Server(tmp_path / "server", SERVER_ALLOWED_HOSTS=host) as server:
            work = Workspace(tmp_path / "flows", server.api_url, "pool")
            url = {"PREFECT_API_URL": f"http://{host}/api"}
            environment = worker_environment(server, tmp_path) | url
            worker = our_worker("pool", environment, tmp_path / "worker.log", "--poll-seconds", "1")
            yield _Proxied(work, worker, proxy, server, page)
            work.close()


def test_a_login_page_is_named_in_lines_without_tracebacks_and_runs_start_after_it(
    proxied: _Proxied,
):
    proxied.lead_to(proxied.server)
    with proxied.worker as worker:
        assert proxied.work.wait(proxied.work.submit("ok")).name == "Completed"
        proxied.lead_to(proxied.page)
        wait_until(lambda: worker.output().count(SAYS) >= 3, timeout=90)
        run = proxied.work.submit("ok")
        proxied.lead_to(proxied.server)
        assert proxied.work.wait(run).name == "Completed"
        assert "Traceback" not in worker.output()
        assert "is started again" not in worker.output()


def test_a_worker_that_starts_behind_a_login_page_waits_without_tracebacks(proxied: _Proxied):
    proxied.lead_to(proxied.page)
    with proxied.worker as worker:
        wait_until(lambda: "the worker of pool failed" in worker.output(), timeout=90)
        run = proxied.work.submit("ok")
        proxied.lead_to(proxied.server)
        assert proxied.work.wait(run).name == "Completed"
        assert "Traceback" not in worker.output()
