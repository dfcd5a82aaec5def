"""The statement_timeout of dbt's role fails the node that it stops, and the result names it and how to raise it."""

import pytest
from sqlalchemy import text

from analytics_worker.circuit_breaker import dbt_circuit_breaker
from analytics_worker.database.connections import direct_connection, warehouse_url
from flows.dbt import run_dbt_models
from tests.flows.dbt.seen import task_run_names

SET = """
do $$ begin
    execute format(
        'alter role %I in database %I set statement_timeout = ''3s''',
        current_user, current_database()
    );
end $$
"""


@pytest.mark.usefixtures("at_once")
def test_a_limit_of_the_role_fails_the_node_only(model, caplog):
    model("quick.sql", "select 1 as id")
    model("slow.sql", "select 1 as id from pg_sleep(60)")
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text(SET))
        role, database = connection.execute(text("select current_user, current_database()")).one()

    state = run_dbt_models(return_state=True)

    assert state.name == "Partial", state.message
    (error,) = state.result(raise_on_failure=False)["errors"]
    change = f"ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = '…'"
    assert error["name"] == "slow"
    assert error["message"].startswith(
        f"the role's statement_timeout of 3s stopped it; raise it: {change} (Database Error in model"
    )
    assert task_run_names(state).count("model slow") == 1
    assert "Retry" not in caplog.text
    assert dbt_circuit_breaker.get_stats()["failures"] == 0
