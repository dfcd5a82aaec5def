"""Whether the services of this host answer, for health checks of containers, Kubernetes and load balancers.

Asks server and exporter at the address that the settings name, and reads the workers' reports in the state
folder. Reads no database and imports no Prefect: a check takes half a second of CPU. Writes nothing.
"""

import http.client
import itertools
from collections.abc import Iterator
from pathlib import Path

from analytics_worker.errors import PermanentError
from analytics_worker.host_port import Authority, client_host
from analytics_worker.settings import settings
from analytics_worker.stack.environment import api_port, listen_host
from analytics_worker.worker.liveness import check_workers

SERVER, WORKER, EXPORTER, UP = "server", "worker", "exporter", "up"
SERVICES = {
    SERVER: [SERVER],
    WORKER: [WORKER],
    EXPORTER: [EXPORTER],
    UP: [SERVER, WORKER, EXPORTER],
}
FIRST_PROCESS = Path("/proc/1/cmdline")
API_READY, EXPORTER_HEALTH = "/api/ready", "/health"
"""Paths that answer without a login; the first one looks for the server's database, too."""


class UnknownServiceError(PermanentError):
    """It is not known what to check; the message lists what can be checked."""


def container_service(command_line: Path = FIRST_PROCESS) -> str:
    """Return which service the first process of this container runs.

    Raises:
        UnknownServiceError: it is none.
    """
    try:
        words = command_line.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    names = [word.rsplit("/", 1)[-1] for word in words]
    if {"analytics_worker.server", "analytics_worker.stack.server_process"}.intersection(
        names
    ):  # what `analytics-worker server` becomes
        return SERVER
    for program, argument in itertools.pairwise(names):
        if program == "analytics-worker" and argument in SERVICES:
            return argument
    raise UnknownServiceError(
        f"Outside a container, name the service to check: {', '.join(SERVICES)}."
    )


def problems(service: str) -> Iterator[str]:
    """Yield what is wrong with a service, a line each; nothing if it is healthy."""
    for part in SERVICES[service]:
        for problem in _problems(part):
            yield f"{part}: {problem}"


def _problems(part: str) -> Iterator[str]:
    if part == WORKER:
        yield from check_workers(settings().state_dir / "worker")
    elif part == SERVER:
        yield from _unanswered(listen_host(), api_port(), API_READY)
    else:
        yield from _unanswered(
            settings().prometheus_host, settings().prometheus_port, EXPORTER_HEALTH
        )


def _unanswered(host: str, port: int, path: str) -> Iterator[str]:
    problem = request_problem(
        client_host(host), port, path, settings().health_check_timeout_seconds
    )
    if problem:
        yield problem


def request_problem(host: str, port: int, path: str, timeout: float) -> str | None:
    """Return why something of this host does not answer there that all is well; None if it does."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    url = f"http://{Authority(host, port)}{path}"
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer ({error or type(error).__name__})"
    finally:
        connection.close()
    return None if status == http.HTTPStatus.OK else f"{url} answers with status {status}"
