"""A real Prefect server for the tests of a session."""

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_api():
    """A temporary Prefect server with its own database; flows that are called run against it."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
