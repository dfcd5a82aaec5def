"""Generate docs/support.md: the versions that are required, and those that the tests run with.

Reads pyproject.toml, the lock files and the constants of the code. A contract test fails if the page is outdated.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from analytics_worker.migrations import MINIMUM_SERVER_VERSION
from analytics_worker.settings import project_root

EMBEDDED, INSTALLED = 18, 15
"""Major versions of PostgreSQL in the tests: that of the wheel, and that of Debian 12."""
HEADER = """\
# Supported versions

Generated from `pyproject.toml`, `requirements.lock` and the code by `python -m analytics_worker.documentation`. "Tested" is what
the tests run with; "allowed" is what is not refused and expected to work, but no test runs with it.

| | tested | allowed | by |
|---|---|---|---|
"""
FOOTER = """
`requirements.lock` pins every package; `make` installs exactly these, checked by their hashes. Other versions within the bounds of
`pyproject.toml` are allowed if you install the package another way. `analytics-worker doctor` shows what is installed.

Refused at start, with a message: another Python (`setup-environment`), an older PostgreSQL (`migrate`, `make up`), a schema `ops` of a
newer version of the worker ([upgrade](upgrade.md)). Versions of the worker itself are supported until the next one: there is one
line of development, and each version migrates from every earlier one.
"""
PREVIOUS_LOCK = "requirements-prefect-3.8.lock"
PACKAGES = {
    "Prefect": ("prefect", "all tests"),
    "dbt": ("dbt-core", "tests/dbt_project"),
    "dbt-postgres": ("dbt-postgres", "tests/dbt_project"),
    "SQLAlchemy": ("sqlalchemy", "all tests"),
    "Redis (client)": ("redis", "tests/stack/test_circuit_breaker_redis.py"),
}
OTHERS = (
    ("PgBouncer", "1.18 (Debian 12)", "session and transaction mode", "tests/stack/test_pgbouncer.py"),
    ("Operating system", "Debian 12, x86-64", "Linux with glibc; not macOS, not Windows: processes are found by /proc", "all tests"),
    ("Processor", "x86-64", "ARM Linux, without PDF and charts of reports: no wheel of plutoprint yet", "all tests"),
)  # fmt: skip


def support_page() -> str:
    """Return the text of docs/support.md."""
    rows = [_python(), *_postgres(), *_packages(), *OTHERS]
    return HEADER + "".join(f"| {' | '.join(row)} |\n" for row in rows) + FOOTER


def _python() -> tuple[str, ...]:
    bounds = _project()["requires-python"]
    return ("Python", "3.11", f"`{bounds}`", "all tests")


def _postgres() -> Iterator[tuple[str, ...]]:
    minimum = MINIMUM_SERVER_VERSION // 10000
    yield (
        "PostgreSQL of the warehouse",
        f"{EMBEDDED}; 14, 15 and 16 for the main work; {INSTALLED} for backup and restore",
        f"{minimum} to {EMBEDDED}",
        "all tests; tests/drills/test_postgres_versions.py, tests/drills/test_backup.py",
    )
    yield (
        "PostgreSQL of the Prefect server",
        f"{INSTALLED}",
        f"{minimum} to {EMBEDDED}, with pg_trgm",
        "tests/drills/test_several_servers.py",
    )


def _packages() -> Iterator[tuple[str, ...]]:
    versions = _locked("requirements.lock")
    bounds = dict(map(_bounds, _project()["dependencies"]))
    for title, (name, tests) in PACKAGES.items():
        yield title, versions[name], f"`{bounds[name]}`", tests
    yield (
        "Prefect, the release before",
        _locked(PREVIOUS_LOCK)["prefect"],
        f"for one release, as `{PREVIOUS_LOCK}` installs it",
        "`make previous`",
    )


def _locked(file: str) -> dict[str, str]:
    lock = (project_root() / file).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))


def _bounds(requirement: str) -> tuple[str, str]:
    name, bounds = re.match(r"([\w.-]+)([^;]*)", requirement.replace(" ", "")).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return name, bounds


def _project() -> dict[str, Any]:
    return tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]
