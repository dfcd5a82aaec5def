"""Other versions of PostgreSQL than the embedded one: as the tests' server, where this host has their programs.

Programs are found in ``/usr/lib/postgresql`` (Debian), in the packages of the environment, and where
``PG_BIN_<version>`` says. ``TEST_POSTGRES``, the folder above ``bin``, makes a version the server of all tests.
"""

import os
import re
import subprocess
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from analytics_worker.stack.postgres import cluster
from analytics_worker.stack.postgres.account import Account, packaged_postgres
from analytics_worker.stack.postgres.server import EmbeddedPostgres

VERSIONS = (14, 15, 16, 17, 18)
SERVER_VARIABLE = "TEST_POSTGRES"
BUILTIN_LOCALES, GRANT_SET = 17, 15
"""The first versions with locales of their own, and with GRANT SET ON PARAMETER."""


def programs_of(version: int) -> Path | None:
    """Folder above ``bin`` of the programs of a version; None if this host has none."""
    named = os.environ.get(f"PG_BIN_{version}")
    candidates = [Path(named).parent] if named else []
    candidates += [Path(f"/usr/lib/postgresql/{version}"), *packaged_postgres().parent.glob("pg*")]
    return next((path for path in candidates if version_of(path) == version), None)


@cache
def version_of(programs: Path) -> int | None:
    """Major version of the programs in a folder; None if they can't be run."""
    try:
        command = [programs / "bin/postgres", "--version"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\) (\d+)", output)
    return int(found[1]) if found else None


def missing(version: int) -> str:
    """Say why tests with a version are skipped."""
    return f"no PostgreSQL {version} on this host (apt install postgresql-{version}, or PG_BIN_{version})"


def server_of_tests(folder: Path) -> EmbeddedPostgres:
    """Return the server of the tests, not started: the embedded one, or that of ``TEST_POSTGRES``."""
    named = os.environ.get(SERVER_VARIABLE)
    if named is None:
        return EmbeddedPostgres(folder, durable=False)
    return PostgresOfVersion(folder, Path(named))


class PostgresOfVersion(EmbeddedPostgres):
    """The embedded server with the programs of another version."""

    def __init__(self, data_dir: Path, programs: Path) -> None:
        """Choose a folder and programs; nothing is made yet."""
        super().__init__(data_dir, durable=False)
        self._programs = programs

    @cached_property
    def account(self) -> Account:
        """The account that runs the server."""
        return replace(super().account, programs=self._programs)

    @cached_property
    def cluster(self) -> cluster.Cluster:
        """The files of the server."""
        return ClusterOfVersion(self.account, self.data_dir, durable=False)


@dataclass(frozen=True)
class ClusterOfVersion(cluster.Cluster):
    """A cluster without what its version lacks."""

    @property
    def _version(self) -> int:
        return version_of(self.account.programs) or 0

    def _sql(self) -> str:
        if self._version >= GRANT_SET:
            return super()._sql()
        without = re.sub(r"grant set on parameter[^;]+;", "", super()._sql())
        return (
            f"revoke create on schema public from public;\n\n{without}"  # as later versions have it
        )

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        if program == "initdb" and self._version < BUILTIN_LOCALES:
            arguments = tuple(each for each in arguments if each != "--locale-provider=builtin")
        super()._run(program, *arguments, stdin=stdin)
