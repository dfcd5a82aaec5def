"""Jobs as procrastinate's documentation shows them, in an environment of its own that imports nothing of the project.

Its command line runs this as a worker; `_procrastinate_client` queues the jobs.
"""

from os import environ

import psycopg
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy

app = App(connector=PsycopgConnector(conninfo=environ["BENCH_DATABASE"]))


@app.task(name="empty")
async def empty() -> None:
    """Do nothing."""


@app.task(name="record", retry=RetryStrategy(max_attempts=20, wait=2))
async def record(number: int) -> None:
    """Insert the number, on a connection of its own; an error is retried, as by ours."""
    async with await psycopg.AsyncConnection.connect(environ["BENCH_WAREHOUSE"]) as connection:
        await connection.execute("insert into jobs (side, number) values ('other', %s)", [number])


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:  # noqa: ARG001  # its signature
    """Queue the jobs of dead workers again: the documented task, each minute instead of every ten."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.retry_job(job)
