"""Whether what runs is what was tested: Python, packages, server, tables.

Reads requirements.lock, the installed packages, the Prefect API and the database; writes nothing.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Connection

from analytics_worker.doctor.findings import Finding, judged
from analytics_worker.migrations import current, head
from analytics_worker.settings import project_root

AREA = "versions"
OLDEST, TOO_NEW = (3, 11), (3, 14)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)([^\\\n]*)", re.MULTILINE)


def packages() -> Iterator[Finding]:
    """Python and the packages of the lock file."""
    name = ".".join(map(str, sys.version_info[:3]))
    wrong = not OLDEST <= sys.version_info[:2] < TOO_NEW
    fix = "Make the environment with another one: `make clean up PYTHON=python3.11`."
    yield judged(AREA, "python", name, warn=wrong, fix=fix)
    lock = project_root() / "requirements.lock"
    if not lock.is_file():
        return
    pins = {m[1]: m[2] for m in _PIN.finditer(lock.read_text()) if ";" not in m[3]}
    off = [
        f"{name} {_installed(name)}, tested {pin}" for name, pin in pins.items() if _off(name, pin)
    ]
    message = "; ".join(off[:5]) if off else f"{len(pins)} packages as in requirements.lock"
    fix = "`make` installs what requirements.lock says."
    yield judged(AREA, "packages", message, warn=bool(off), fix=fix)


def server(client: SyncPrefectClient) -> Iterator[Finding]:
    """The Prefect server speaks our version."""
    theirs, ours = client.api_version(), version("prefect")
    message = f"Prefect {theirs} at {client.api_url}"
    fix = f"Run the same version on both sides; the worker has {ours}."
    yield judged(AREA, "prefect server", message, warn=theirs != ours, fix=fix)


def tables(connection: Connection) -> Iterator[Finding]:
    """The worker's own tables are those that the code expects."""
    found, expected = current(connection), head()
    message = f"schema ops at revision {found or 'none'}"
    fix = f"`analytics-worker migrate` brings it to {expected}."
    yield judged(AREA, "tables", message, fail=found != expected, fix=fix)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _off(name: str, pin: str) -> bool:
    """Whether another version is installed; one that is not installed may be an extra."""
    found = _installed(name)
    return found is not None and found != pin
