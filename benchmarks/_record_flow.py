"""Insert a number into a table: the run that `faults` queues, with retries as our flows have them.

On a connection of its own, as the other side does it. Behind the breaker of our flows (`warehouse`), runs would
fail for a minute after five failed connections, by design, and not wait.
"""

from typing import Any

from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import flow_result
from analytics_worker.prefect_support.retries import policy
from analytics_worker.prefect_support.task import task

INSERT = "insert into jobs (side, number) values ('ours', :number)"


@task(**policy(retries=20, base_seconds=2, cap_seconds=4), name="insert number")
def insert(number: int) -> None:
    """Insert it in a transaction of its own."""
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(INSERT), {"number": number})


@flow(timeout_seconds=300)
def record(number: int) -> Any:
    """Insert the number."""
    insert(number)
    return flow_result("success", f"{number} is recorded")
