"""A project that needs variables, with hooks and ephemeral models, in a database whose DBA set limits."""

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from flows.dbt import run_dbt_models
from tests.flows.dbt.conftest import PROJECT
from tests.flows.dbt.seen import rows

NEEDS = """
vars: { layer: bronze }
seeds: { +schema: "{{ var('layer') }}" }
on-run-end: ["select 1", "select 2"]
"""
DEADLOCKED_ONCE = """
{% if execute and run_query("select nextval('public.attempts')")[0][0] == 1 %}
  {{ exceptions.raise_compiler_error("deadlock detected") }}
{% endif %}
select
    current_setting('statement_timeout') as statement_timeout,
    current_setting('lock_timeout') as lock_timeout,
    '{{ var("layer") }}' as layer
"""
LIMITS = """
create sequence public.attempts;
do $$ begin
    execute format(
        'alter role %I in database %I set statement_timeout = ''31s''', current_user, current_database()
    );
    execute format(
        'alter role %I in database %I set lock_timeout = ''29s''', current_user, current_database()
    );
end $$
"""


@pytest.mark.usefixtures("at_once")
def test_a_second_attempt_gets_the_variables_and_no_limit_is_lifted(project, model):
    (project / "dbt_project.yml").write_text(PROJECT + NEEDS)
    model("shared.sql", "{{ config(materialized='ephemeral') }} select 1 as id")
    model("quick.sql", "select * from {{ ref('shared') }}")
    model("limits.sql", DEADLOCKED_ONCE)
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(LIMITS))

    state = run_dbt_models(["--vars", "{layer: silver}"], return_state=True)

    assert state.name == "Completed", state.message
    assert "2 models and 2 hooks in" in str(state.message)
    assert rows("select * from tiny.limits") == [
        {"statement_timeout": "31s", "lock_timeout": "29s", "layer": "silver"}
    ]
    assert rows("select last_value from public.attempts") == [{"last_value": 2}]
    assert rows(
        "select name from ops.dbt_node_health where built_at is not null order by name"
    ) == [{"name": "limits"}, {"name": "quick"}]
