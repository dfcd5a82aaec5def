"""Monitoring in a process of its own, to be killed: ``killed FOLDER``."""

import sys
from pathlib import Path

from flows.monitoring import collect_worker_metrics
from tests.acceptance.fourteen_nights.project import use_definitions

if __name__ == "__main__":
    use_definitions(Path(sys.argv[1]))
    collect_worker_metrics()
