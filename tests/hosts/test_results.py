"""What a run returned on one host is read on another one, without any setting."""

import json

from tests.support.case_runs import Workspace
from tests.support.hosts import Host

READ = "import json, sys; from analytics_worker.prefect_support.runs import find; print(json.dumps(find(sys.argv[1]).get(timeout=30)))"


def test_a_result_is_read_on_another_host(work: Workspace, hosts: list[Host]):
    first, second = hosts
    first.start_worker(work)
    run = work.submit("reported")
    assert work.wait(run).name == "Partial"
    result = json.loads(second.run(work, "-c", READ, str(run)).splitlines()[-1])
    assert (result["status"], result["answer"]) == ("partial", 42)
