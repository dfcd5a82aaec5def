"""With a slow server each run is claimed once; tests/drills/test_slow_server.py has slower ones."""

from tests.support.case_runs import Workspace
from tests.support.hosts import Host, claims_per_run


def test_each_run_is_claimed_once(work: Workspace, hosts: list[Host]):
    assert claims_per_run(work, hosts, delay=0.2, timeout=120) <= 1.05
