"""The worker names the installed integrations without importing them."""

import asyncio
import subprocess
import sys

from prefect.workers.process import ProcessWorker

from analytics_worker.settings import project_root
from analytics_worker.worker.worker_metadata import integrations


def test_they_are_those_that_prefect_finds_by_importing_them():
    metadata = asyncio.run(ProcessWorker(work_pool_name="any")._worker_metadata())
    assert metadata is not None
    found = {(known.name, known.version) for known in integrations()}
    assert found == {(known.name, known.version) for known in metadata.integrations}
    assert {"prefect-dbt", "prefect-sqlalchemy"} <= {known.name for known in integrations()}


def test_none_of_them_is_imported():
    program = "import sys, analytics_worker.worker.worker_metadata as i; i.integrations(); print('dbt' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=project_root(), check=True, capture_output=True
    )
    assert printed.stdout.strip() == b"False"
