"""Check that the versions are the tested ones: Python, packages, server, tables.

Reads requirements.lock, the installed packages, the files of the checkout, the Prefect API and the database; writes nothing.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Connection

from analytics_worker.database.schema_revision import NEWER_FIX, is_newer
from analytics_worker.dbt_executable import DbtExecutableError, checked_executable
from analytics_worker.doctor.findings import Finding, graded
from analytics_worker.migrations import current, head
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.settings import project_root
from analytics_worker.source_version import is_source_version, source_version
from analytics_worker.stack_address import without_login

AREA = "versions"
OWN_FLOWS = "flows."
SHOWN_VERSIONS = 3
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


def dbt() -> Iterator[Finding]:
    """Check the dbt that runs the commands."""
    try:
        other = checked_executable(again=True)
    except DbtExecutableError as error:
        fix = "Correct or unset DBT_EXECUTABLE."
        yield Finding(AREA, "dbt", "fail", str(error), fix)
        return
    ours = f"dbt {version('dbt-core')} of this environment"
    yield Finding(AREA, "dbt", "ok", f"dbt {other.version}, {other.path}" if other else ours)


def server(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that the Prefect server has the worker's version."""
    server_version, worker_version = client.api_version(), version("prefect")
    message = f"Prefect {server_version} at {without_login(str(client.api_url))}"
    fix = f"Run the same version on both sides; the worker has {worker_version}."
    yield graded(AREA, "prefect server", message, warn=server_version != worker_version, fix=fix)


def deployments(client: SyncPrefectClient) -> Iterator[Finding]:
    """Check that the deployments were made from the code of this checkout."""
    own = source_version()
    ours = [
        row
        for row in pages(client.read_deployments)
        if (row.entrypoint or "").startswith(OWN_FLOWS)
    ]
    others = Counter(_shown(row.version) for row in ours if row.version != own)
    message = f"{len(ours) - others.total()} of {len(ours)} made from {own}, the code of this host"
    for text, count in others.most_common(SHOWN_VERSIONS):
        message += f"; {count} {text}"
    fix = (
        "Update the older side, then `analytics-worker deploy`; every host needs the same version."
    )
    yield graded(AREA, "deployments", message, warn=bool(others), fix=fix)


def _shown(text: str | None) -> str:
    known = is_source_version(text)
    return f"from {text}" if known else "without a version of the code"


def tables(connection: Connection) -> Iterator[Finding]:
    """Check that schema ops has the revision that the code expects."""
    actual, expected = current(connection), head()
    message = f"schema ops at revision {actual or 'none'}"
    migrate = f"`analytics-worker migrate` upgrades it to {expected}."
    fix = f"{NEWER_FIX}." if is_newer(actual) else migrate
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
