"""Alerts the way of the Celery worker: one task evaluates, each alert that fires is a task that posts.

Runs in an environment of its own and imports nothing of the project. Rules come from the same table; a
new connection for each query and each post. States, history, limits and an outbox are left out, in
its favour. As a script: queues one evaluation for each line that it reads.
"""

import sys
from os import environ
from typing import Any

import psycopg2
import requests
from celery import Celery

RULES = """
    select name, definition ->> 'sql', cast(definition ->> 'threshold' as double precision)
    from ops.alert_rules
"""

app = Celery("alerts", broker=environ["BENCH_REDIS"], backend=environ["BENCH_REDIS"])
app.conf.update(task_default_queue="alerts", broker_connection_retry_on_startup=True)


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows, on a connection of their own."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()
    finally:
        connection.close()


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
    """Tell the receiver."""
    requests.post(environ["BENCH_SINK"], json=alert_data, timeout=10).raise_for_status()


if __name__ == "__main__":
    while not app.control.ping(timeout=0.5):
        pass
    print("ready", flush=True)
    for _ in sys.stdin:
        process_pending_alerts.delay()
