"""Check the requirements of the stack before it starts; each refusal is one line that names the fix.

Makes the folders that are missing, readable for their owner only; nothing is started here.
"""

import errno
import os
import shutil
import socket
from pathlib import Path

import psutil

from analytics_worker.disk_problems import disk_problem
from analytics_worker.host_port import is_loopback, parse_allowed_hosts
from analytics_worker.settings import settings
from analytics_worker.stack.database_urls import check_database_url
from analytics_worker.stack.environment import HOST, api_port, listen_host
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.server_database import check_server_database
from analytics_worker.worker.code_folders import configured_folders

NEEDED_BYTES = 500_000_000  # a sample warehouse, the server's database, logs
NOT_OF_THIS_HOST = (
    "is not an address of this host: set PREFECT_SERVER_API_HOST (server: --host) to one of its addresses,"
    " to 0.0.0.0 for all of them, or to 127.0.0.1."
)


def check_everything(state_dir: Path) -> int:
    """Refuse to start what could not run; the port of the Prefect server."""
    check_writable(state_dir, "STATE_DIR")
    check_writable(settings().log_dir, "LOG_DIR")
    check_disk(state_dir)
    configured_folders()
    port = check_server()
    check_port(settings().prometheus_port, "PROMETHEUS_PORT")
    check_database_url()
    prefect_home = state_dir / "prefect"
    prefect_home.mkdir(mode=0o700, exist_ok=True)
    prefect_home.chmod(0o700)
    return port


def check_server() -> int:
    """Refuse to start a Prefect server that can't listen, has names that are none, or no database; its port."""
    port, host = api_port(), listen_host()
    is_loopback(host)
    parse_allowed_hosts(settings().server_allowed_hosts, port)
    check_port(port, "PREFECT_SERVER_API_PORT", host)
    check_server_database()
    return port


def check_disk(folder: Path) -> None:
    """Refuse to start on a disk that would be full within the hour."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise StackError(
            f"{folder} has {free / 1e6:.0f} MB free and the stack needs {NEEDED_BYTES / 1e6:.0f} MB:"
            " free some space, or set STATE_DIR to a folder on another disk."
        )


def check_writable(folder: Path, variable: str) -> None:
    """Make the folder; refuse to start where nothing can be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StackError(
            disk_problem(error, folder)
            or f"{folder} can't be written ({error.strerror}): set {variable} to a folder of yours."
        ) from None


def check_port(port: int, variable: str, host: str = HOST) -> None:
    """Refuse to start a server on a port that is in use; ``variable`` chooses another one."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise StackError(f"{host} {NOT_OF_THIS_HOST}") from None
            raise StackError(
                f"Port {port} can't be used ({error.strerror}{_owner(port)}): stop what has it, or"
                f" choose another one: {variable}={port + 1}."
            ) from None


def _owner(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN":
            return f", process {connection.pid}" if connection.pid else ""
    return ""
