"""A process that is killed while it updates the incidents has changed nothing, and the next one does all of it."""

import os
import signal
import subprocess
import sys

import psycopg2
from sqlalchemy import make_url

from tests.flows.monitoring.incidents import Incidents, Warehouse
from tests.support.wait_until import wait_until

UPDATE = """
from datetime import UTC, datetime
from analytics_worker.database.connections import warehouse
from flows.monitoring.incidents.update import update_incidents

with warehouse() as connection:
    update_incidents(connection, datetime.now(UTC))
"""


def test_an_update_that_is_killed_before_its_commit(environment, variables, sql):
    variables(alert_webhook_url="http://127.0.0.1:1/")
    Warehouse(sql).node("a")
    url = make_url(environment)
    blocker = psycopg2.connect(
        host=url.query["host"], user=url.username, password=url.password, dbname=url.database
    )
    with blocker.cursor() as cursor:
        cursor.execute("lock table ops.deliveries in exclusive mode")
    child = subprocess.Popen([sys.executable, "-c", UPDATE], env={**os.environ})
    waiting = (
        "select pid from pg_stat_activity where wait_event_type = 'Lock'"
        " and datname = current_database()"
    )
    wait_until(lambda: sql(waiting), timeout=60, interval=0.1)
    child.send_signal(signal.SIGKILL)
    child.wait()
    blocker.rollback()
    blocker.close()
    lock = "select name from ops.locks where name = 'incidents' for update skip locked"
    wait_until(lambda: sql(lock), timeout=60, interval=0.1)
    assert sql("select id from ops.incidents union all select id from ops.messages") == []
    incidents = Incidents(sql)
    assert incidents.told() == ["opened [critical] dbt model a"]
    assert incidents.events() == ["opened analytics.a"]
    assert incidents.told() == []
    assert sql("select count(*) from ops.deliveries") == [(1,)]
