"""kill -9 while the gate looks at a report: it is held once, its owner is notified once, and it is sent once."""

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from tests.flows.reports.gated import create_orders, dbt_test, gated
from tests.flows.reports.reports import ANN, OWNER, runs, store_reports
from tests.flows.reports.workers import generate_and_deliver, worker, worker_context
from tests.support.sql import query
from tests.support.wait_until import wait_until

__all__ = ["worker_context"]

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("report_folder")]


def waits_for(table: str) -> bool:
    return query(
        "select count(*) > 0 from pg_locks where not granted and relation = cast(:table as regclass)",
        table=table,
    )[0]


def work_until(status: str) -> None:
    """Have other workers go on; PostgreSQL notices the end of a killed one after a delay."""

    def is_reached() -> bool:
        generate_and_deliver()
        return runs() == [("sales", "", status)]

    wait_until(is_reached, timeout=30)


@pytest.mark.parametrize("table", ["ops.incidents", "ops.deliveries"])
def test_killed_while_it_is_held(table, smtp_sink, worker_context):
    """Before it is known what is met, and between the state and the message of one transaction."""
    create_orders()
    dbt_test("failing")
    store_reports(gated())
    with warehouse() as connection, worker(worker_context) as process:
        connection.execute(text(f"lock table {table} in access exclusive mode"))
        wait_until(lambda: waits_for(table), timeout=90)
        process.kill()
        process.join()
    assert runs() == [("sales", "", "running")]
    work_until("held")
    assert [each.recipients for each in smtp_sink.messages] == [[OWNER]]
    dbt_test("ok")
    work_until("ready")
    assert [each.recipients for each in smtp_sink.messages] == [[OWNER], [ANN]]
