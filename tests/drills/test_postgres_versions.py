"""The main work on every version of PostgreSQL that this host has: the tests of it, with that version as server."""

import os
import subprocess
import sys

import pytest

from analytics_worker.settings import project_root
from tests.support.postgres_versions import (
    GRANT_SET,
    SERVER_VARIABLE,
    VERSIONS,
    missing,
    programs_of,
)

MAIN_WORK = (
    "tests/flows/analytics/test_catalog.py",
    "tests/flows/analytics/test_refresh.py",
    "tests/flows/alerts/test_flows.py",
    "tests/delivery/test_delivery.py",
    "tests/flows/reports/test_single.py",
    "tests/flows/dbt/test_models.py",
    "tests/flows/test_user_sql.py",
    "tests/stack/test_doctor_reader.py",
    "tests/stack/test_read_replica.py",
    "tests/stack/test_failover.py",
)
"""Migrations (of all of them), refresh, alerts, delivery, reports, dbt, user SQL, doctor, replication."""

SKIPS = "tests/flows/analytics/test_refresh.py::test_"
NOT_IN_14 = (
    f"{SKIPS}a_view_that_fails_is_named_and_does_not_fail_those_that_are_up_to_date",
    f"{SKIPS}unchanged_views_are_skipped_and_the_run_says_so",
    "tests/stack/test_doctor_reader.py::test_the_embedded_database_leaves_the_reader_nothing_but_select",
)
"""Its statistics may lose messages, so that no refresh is skipped; it has no GRANT SET ON PARAMETER."""


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_main_work(version: int):
    programs = programs_of(version)
    if programs is None:
        pytest.skip(missing(version))
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "--tb=short", *MAIN_WORK]
    if version < GRANT_SET:
        command += [f"--deselect={test}" for test in NOT_IN_14]
    environment = os.environ | {SERVER_VARIABLE: str(programs)}
    done = subprocess.run(
        command, env=environment, cwd=project_root(), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-6000:]
