"""Two hosts on this machine: a network namespace, a host name and a state folder for each.

A veth pair connects each of them with the outside, where a proxy stands before the Prefect server. It can be
slow, and it knows what each host has requested. Needs root.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.case_runs import Workspace
from tests.support.processes import ROOT, Process, Server, our_worker
from tests.support.slow_proxy import SlowProxy
from tests.support.wait_until import wait_until

NUMBERS = (1, 2)
HOST_NAME = "worker"
"""All hosts have it, as containers and cloned machines do."""


def _address(number: int, end: int) -> str:
    """Return an address of the host's network: others may run tests on this machine, too."""
    pid = os.getpid()
    return f"10.{100 + pid // 256 % 100}.{pid % 256}.{4 * number + end}"


def server_addresses() -> list[str]:
    """Return the addresses at which the hosts reach the server."""
    return [_address(number, 1) for number in NUMBERS]


class Host:
    """One host; `start_worker` starts a worker on it."""

    def __init__(self, number: int, folder: Path, server: Server) -> None:
        """Create its network."""
        self.number = number
        self.folder = folder
        self.namespace = f"aw{os.getpid()}n{number}"
        self._link = f"aw{os.getpid()}v{number}"
        self._server = server
        self._stack = ExitStack()
        self._create_network()
        listen = (_address(number, 1), server.port)
        self.proxy = self._stack.enter_context(SlowProxy(listen, ("127.0.0.1", server.port)))

    @property
    def state_dir(self) -> Path:
        """The state folder of the host's workers."""
        return self.folder / "state"

    def _create_network(self) -> None:
        _ip("netns", "add", self.namespace)
        self._stack.callback(_ip, "netns", "del", self.namespace)
        self._stack.callback(self.kill_all)
        _ip("link", "add", self._link, "type", "veth", "peer", "eth0", "netns", self.namespace)
        # A namespace ends some time after its deletion, with what is in it.
        self._stack.callback(_ip, "link", "del", self._link)
        _ip("addr", "add", f"{_address(self.number, 1)}/30", "dev", self._link)
        _ip("link", "set", self._link, "up")
        inside = ("-n", self.namespace)
        _ip(*inside, "addr", "add", f"{_address(self.number, 2)}/30", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        _ip(*inside, "link", "set", "lo", "up")

    def kill_all(self) -> None:
        """Kill what still runs on it: processes of runs outlive their worker."""
        command = ["ip", "netns", "pids", self.namespace]
        pids = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for pid in map(int, pids.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def connect(self, *, up: bool) -> None:
        """Plug the host in, or unplug it."""
        _ip("link", "set", self._link, "up" if up else "down")

    def start_worker(self, work: Workspace, *options: str, container: bool = False) -> Process:
        """Start a worker; in a container it sees no other processes than its own."""
        log, within = self.folder / "worker.log", self._inside(container=container)
        worker = our_worker(work.pool, self._environment(work), log, *options, within=within)
        worker.start()
        self._stack.callback(worker.end, signal.SIGKILL)
        return worker

    def run(self, work: Workspace, *arguments: str) -> str:
        """Run Python on this host; what it prints."""
        command = [*self._inside(container=False), sys.executable, *arguments]
        environment = os.environ | self._environment(work)
        return subprocess.run(
            command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def _environment(self, work: Workspace) -> dict[str, str]:
        return {
            "PREFECT_API_URL": f"http://{_address(self.number, 1)}:{self._server.port}/api",
            "PREFECT_HOME": str(self.folder / "home"),
            "STATE_DIR": str(self.state_dir),
            "WORKER_CODE_FOLDERS": str(work.directory),
        }

    def _inside(self, *, container: bool) -> list[str]:
        own_pids = ["--pid", "--fork", "--kill-child", "--mount-proc"] if container else []
        name = ["sh", "-c", 'hostname "$0" && exec "$@"', HOST_NAME]
        return ["ip", "netns", "exec", self.namespace, "unshare", "--uts", *own_pids, *name]

    def copy_state(self, other: "Host") -> None:
        """Give this host the state folder of another one, as a cloned machine has it."""
        shutil.copytree(other.state_dir, self.state_dir)

    def close(self) -> None:
        """Remove it with its workers."""
        self._stack.close()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)  # noqa: S607  # as root finds it


def _can_create_networks() -> bool:
    name = f"aw{os.getpid()}probe"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@pytest.fixture
def hosts(prefect_server: Server, tmp_path: Path) -> Iterator[list[Host]]:
    """Two hosts of one name, with folders of their own."""
    if not _can_create_networks():
        pytest.skip("hosts are network namespaces, which need root")
    with ExitStack() as stack:
        made: list[Host] = []
        for number in NUMBERS:
            folder = tmp_path / f"host{number}"
            folder.mkdir()
            made.append(Host(number, folder, prefect_server))
            stack.callback(made[-1].close)
        yield made


@pytest.fixture
def work(prefect_server: Server, tmp_path: Path) -> Iterator[Workspace]:
    """Case flows, below a folder that all hosts have."""
    pool = f"hosts-{uuid4().hex[:8]}"
    workspace = Workspace(tmp_path / "flows", prefect_server.api_url, pool, limit=2)
    yield workspace
    workspace.close()


def claims_per_run(work: Workspace, hosts: list[Host], delay: float, timeout: float) -> float:
    """Let two hosts execute six runs on a server that is that slow; how often each was claimed."""
    work.allow(6)
    for host in hosts:
        host.start_worker(work)
    wait_until(lambda: len(work.client.read_workers_for_work_pool(work.pool)) == 2, 120)
    for host in hosts:
        host.proxy.delay = delay
    runs = [work.submit("ok") for _ in range(6)]
    states = work.wait_all(runs, timeout=timeout)
    assert {state.name for state in states} == {"Completed"}
    names = [state.name for run in runs for state in work.client.read_flow_run_states(run)]
    return names.count("Pending") / len(runs)
