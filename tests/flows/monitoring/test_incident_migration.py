"""Deployments that failed before the update have an incident: who was notified gets the end, and nothing twice."""

import os

import pytest

from analytics_worker.stack.postgres.cluster import OWNER
from tests.flows.monitoring.incidents import Incidents
from tests.support.postgres import administer, database_on
from tests.support.revisions import upgrade_to

MESSAGE = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def database_url(postgres):
    """Return a database of the previous version."""
    name = f"incidents_{os.getpid()}"
    administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
    upgrade_to(database_on(postgres, name), "0022_completeness")
    yield database_on(postgres, name)
    administer(postgres, "drop database {name} with (force)", name=name)


def test_deployments_that_were_notified_are_not_notified_again(database_url, sql, variables):
    sql(
        "insert into ops.deployment_health (deployment, status, since, failures, last_run_id, last_ended_at,"
        " last_state, last_message, notified_since)"
        " select d, 'failing', now() - interval '1 h', 1, gen_random_uuid(), now(), 'Failed', 'no disk',"
        " case when d = 'a/b' then now() - interval '1 h' end from unnest(array['a/b', 'c/d']) as d"
    )
    sql(
        "insert into ops.messages (id, domain, kind, topic, reference, content)"
        " values (%s, 'monitoring', 'deployment_failing', 'a/b', 'a/b', '{\"subject\": \"x\"}')",
        (MESSAGE,),
    )
    sql(
        "insert into ops.deliveries (message_id, domain, position, channel, recipient, idempotency_key, status)"
        " select id, domain, position, 'webhook', 'webhook', 'k', 'sent' from ops.messages"
    )
    upgrade_to(database_url, "head")
    variables(alert_webhook_url="http://127.0.0.1:1/")
    incidents = Incidents(sql)
    incidents.seen()
    assert incidents.told() == ["opened [critical] c/d: Failed"]
    sql("update ops.deployment_health set status = 'ok'")
    assert incidents.told() == ["resolved [resolved] a/b", "resolved [resolved] c/d: Failed"]
    assert sql(
        "select follows::text, content ->> 'incident_key' from ops.messages where kind = 'incident_resolved'"
        " order by position limit 1"
    ) == [(MESSAGE, "deployment:a/b")]
