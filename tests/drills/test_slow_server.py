"""A slow server makes a worker claim fewer runs at a time, not the same runs again and again."""

import pytest

from tests.support.case_runs import Workspace
from tests.support.hosts import Host, claims_per_run


@pytest.mark.timeout(700)
@pytest.mark.parametrize("delay", [1.0, 3.0])
def test_each_run_is_claimed_once(work: Workspace, hosts: list[Host], delay: float):
    assert claims_per_run(work, hosts, delay, timeout=280 * max(1, delay / 1.5)) <= 1.05
