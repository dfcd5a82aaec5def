"""Queue the jobs of `_procrastinate_app`, in the same environment.

``submit``: for each line read, queue an empty job, wait for its end, and print the seconds between.
``record``: queue a job for each number read, and print the number.
"""

import sys
import time
from os import environ

import psycopg
from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import JobDeferrer

from benchmarks._procrastinate_app import app

RETRY_SECONDS = 0.5
ENDED_AT = """
    select extract(epoch from at) from procrastinate_events
    where job_id = %(job)s and type = 'succeeded'
"""


def submit(client: App) -> None:
    """Queue one job after the other."""
    database = psycopg.connect(environ["BENCH_DATABASE"], autocommit=True)
    for _ in sys.stdin:
        started = time.time()
        job = client.configure_task("empty").defer()
        while not (row := database.execute(ENDED_AT, {"job": job}).fetchone()):
            time.sleep(0.01)
        print(float(row[0]) - started, flush=True)


def record(client: App) -> None:
    """Queue jobs as they are requested; a failure is repeated, and the lock refuses a job that is there."""
    for line in sys.stdin:
        task = client.configure_task("record", queueing_lock=f"record-{line.strip()}")
        while not queue(task, int(line)):
            time.sleep(RETRY_SECONDS)
        print(line.strip(), flush=True)


def queue(task: JobDeferrer, number: int) -> bool:
    """Return whether the job is queued."""
    try:
        task.defer(number=number)
    except AlreadyEnqueued:
        return True
    except ConnectorException:
        return False
    return True


if __name__ == "__main__":
    connector = SyncPsycopgConnector(conninfo=environ["BENCH_DATABASE"])
    with app.replace_connector(connector) as replaced, replaced.open():
        print("ready", flush=True)
        {"submit": submit, "record": record}[sys.argv[1]](replaced)
