"""An empty workflow as DBOS' documentation shows it, in an environment of its own that imports nothing of the project.

``schema``: create its tables. ``worker``: the process that executes what is queued. ``submit``: for each line read,
queue a workflow, wait for its result, and print the seconds from its submission to its end.
"""

import sys
import threading
import time
from os import environ

from dbos import DBOS, DBOSClient, EnqueueOptions

QUEUE = "benchmark"
URL = environ["BENCH_DATABASE"]


@DBOS.workflow()
def empty() -> None:
    """Do nothing."""


def _launch() -> None:
    DBOS(config={"name": QUEUE, "system_database_url": URL, "log_level": "ERROR"})
    DBOS.launch()
    DBOS.register_queue(QUEUE)


def _work() -> None:
    _launch()
    threading.Event().wait()


def _submit() -> None:
    client = DBOSClient(system_database_url=URL)
    options: EnqueueOptions = {"queue_name": QUEUE, "workflow_name": "empty"}
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.time()
        handle = client.enqueue(options)
        handle.get_result()
        print(handle.get_status().updated_at / 1000 - started, flush=True)


def _create_schema() -> None:
    _launch()
    DBOS.destroy()


if __name__ == "__main__":
    {"schema": _create_schema, "worker": _work, "submit": _submit}[sys.argv[1]]()
