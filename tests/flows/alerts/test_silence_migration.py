"""Silences of whole rules that older versions stored with the rule are kept."""

import os

import pytest

from analytics_worker.stack.postgres.cluster import OWNER
from tests.flows.alerts.rules import deliveries, execute, query, tick
from tests.support.postgres import administer, database_on
from tests.support.revisions import upgrade_to


@pytest.fixture
def database_url(postgres):
    """Return a database of the previous version."""
    name = f"silences_{os.getpid()}"
    administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
    upgrade_to(database_on(postgres, name), "0014_report_times")
    yield database_on(postgres, name)
    administer(postgres, "drop database {name} with (force)", name=name)


@pytest.mark.usefixtures("environment")
def test_silences_of_rules_are_kept(database_url):
    for name, until in (("r", "'2100-01-01'"), ("over", "'2020-01-01'"), ("s", "null")):
        execute(
            "insert into ops.alert_rules (kind, name, definition, every, silenced_until, silence_reason)"
            f" values ('alert', '{name}', cast(:definition as jsonb), '2m', cast({until} as timestamptz), 'why')",
            definition=f'{{"name": "{name}", "sql": "select 11 as value", "operator": ">",'
            ' "threshold": 10.0, "channels": [{"name": "webhook"}]}',
        )
    upgrade_to(database_url, "head")
    tick(0)
    assert len(deliveries()) == 2
    assert query("select name from ops.alert_status where silenced") == ["r"]
    assert query("select rule, reason from ops.alert_silences") == [("r", "why")]
    assert query("select count(*) from ops.alert_thresholds") == [0]
