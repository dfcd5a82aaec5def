"""Check that the versions are the tested ones: Python, packages, server, tables.

Reads requirements.lock, the installed packages, the Prefect API and the database; writes nothing.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Connection

from analytics_worker.doctor.findings import Finding, graded
from analytics_worker.migrations import current, head
from analytics_worker.settings import project_root

AREA = "versions"
MIN_PYTHON, PYTHON_LIMIT = (3, 11), (3, 14)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)([^\\\n]*)", re.MULTILINE)


def packages() -> Iterator[Finding]:
    """Check the versions of Python and of the packages of the lock file."""
    name = ".".join(map(str, sys.version_info[:3]))
    is_untested = not MIN_PYTHON <= sys.version_info[:2] < PYTHON_LIMIT
    fix = "Create the environment with another version: `make clean up PYTHON=python3.11`."
    yield graded(AREA, "python", name, warn=is_untested, fix=fix)
    lock = project_root() / "requirements.lock"
    if not lock.is_file():
        return
    pins = {m[1]: m[2] for m in _PIN.finditer(lock.read_text()) if ";" not in m[3]}
    different = [
        f"{name} {_installed(name)}, tested {pin}"
        for name, pin in pins.items()
        if _is_different(name, pin)
    ]
    message = (
        "; ".join(different[:5]) if different else f"{len(pins)} packages as in requirements.lock"
    )
    fix = "`make` installs the versions of requirements.lock."
    yield graded(AREA, "packages", message, warn=bool(different), fix=fix)


def server(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that the Prefect server has the worker's version."""
    server_version, worker_version = client.api_version(), version("prefect")
    message = f"Prefect {server_version} at {client.api_url}"
    fix = f"Run the same version on both sides; the worker has {worker_version}."
    yield graded(AREA, "prefect server", message, warn=server_version != worker_version, fix=fix)


def tables(connection: Connection) -> Iterator[Finding]:
    """Check that schema ops has the revision that the code expects."""
    actual, expected = current(connection), head()
    message = f"schema ops at revision {actual or 'none'}"
    fix = f"`analytics-worker migrate` upgrades it to {expected}."
    yield graded(AREA, "tables", message, fail=actual != expected, fix=fix)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_different(name: str, pin: str) -> bool:
    """Whether another version is installed; a missing package may be an extra."""
    installed = _installed(name)
    return installed is not None and installed != pin
