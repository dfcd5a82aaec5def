"""Ports for the services that tests start."""

import itertools
import os
import socket

# Below the ports that the system gives to connections: one of those could take a free port before
# its service listens. Each process of the test run has ports of its own.
FIRST, PER_PROCESS, PROCESSES = 20_000, 1_000, 12

_next = itertools.count()


def free_port() -> int:
    """Return a free port of this host that no later call returns soon."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    for step in _next:
        port = FIRST + number * PER_PROCESS + step % PER_PROCESS
        if _is_free(port):
            return port
    raise AssertionError("the counter never ends")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
