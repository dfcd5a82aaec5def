"""Run jobs as the Celery worker did, in an environment of its own that imports nothing of the project.

Alerts: one task evaluates, each alert that fires is a task that posts; rules come from the same table,
with a new connection for each query and each post; states, history, limits and an outbox are left out,
in its favor. Catalog: the same statements as the worker runs, on a new connection.

As a script, it reads lines of ``[task, parameters]``, queues them, and prints how long a catalog took.
"""

import json
import sys
import time
from contextlib import closing
from os import environ
from typing import Any

import psycopg2
import requests
import sqlalchemy
from celery import Celery

RULES = """
    select name, definition ->> 'sql', cast(definition ->> 'threshold' as double precision)
    from ops.alert_rules
"""

app = Celery("alerts", broker=environ["BENCH_REDIS"], backend=environ["BENCH_REDIS"])
app.conf.update(task_default_queue="alerts", broker_connection_retry_on_startup=True)


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows, on a connection of their own."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@app.task(name="process_pending_alerts")
def process_pending_alerts() -> int:
    """Evaluate all rules, one after the other."""
    rules = query(environ["BENCH_WAREHOUSE"], RULES)
    for name, sql, threshold in rules:
        ((value,),) = query(environ["BENCH_READER"], sql)
        if value > threshold:
            trigger_alert.delay({"rule": name, "value": value})
    return len(rules)


@app.task(name="trigger_alert")
def trigger_alert(alert_data: dict[str, Any]) -> None:
    """Post the alert to the receiver."""
    requests.post(environ["BENCH_SINK"], json=alert_data, timeout=10).raise_for_status()


@app.task(name="refresh_catalog")
def refresh_catalog(statements: list[str], parameters: dict[str, Any]) -> int:
    """Run the statements in one transaction; the number of relations."""
    url = environ["BENCH_WAREHOUSE"].replace("postgresql://", "postgresql+psycopg2://")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    rows: list[Any] = []
    with engine.begin() as connection:
        for statement in map(sqlalchemy.text, statements):
            stored_rows = statement.compile().params
            selected = {name: value for name, value in parameters.items() if name in stored_rows}
            result = connection.execute(statement, selected)
            rows += result.mappings() if result.returns_rows else []
    return next(row["relations"] for row in rows if "relations" in row)


def _serve(task: str, parameters: dict[str, Any]) -> None:
    if task == "process_pending_alerts":
        process_pending_alerts.delay()
        return
    started = time.perf_counter()
    relations = refresh_catalog.delay(**parameters).get(timeout=60)
    print(json.dumps([time.perf_counter() - started, relations]), flush=True)


if __name__ == "__main__":
    while not app.control.ping(timeout=0.5):
        pass
    print("ready", flush=True)
    for line in sys.stdin:
        _serve(*json.loads(line))
