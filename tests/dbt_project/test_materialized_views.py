"""dbt on views that people read: unchanged is untouched, changed takes effect, no reader waits."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from analytics_worker.stack.postgres.server import EmbeddedPostgres
from analytics_worker.stack.sample import tick
from tests.dbt_project.conftest import Warehouse
from tests.support.postgres import administer
from tests.support.wait_until import wait_until

PIPELINE = "models/kpis/pipeline_kpis.sql"
OWNERS = "models/staging/crm/stg_crm__owners.sql"
DESCRIPTIONS = """
    select objoid, objsubid, xmin::text from pg_description
    where objoid in (select oid from pg_class where relnamespace in (
        'staging'::regnamespace, 'analytics'::regnamespace
    ))
    order by objoid, objsubid
"""
BI_ROLE = "bi_of_the_dbt_tests"


@pytest.fixture
def bi_role(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A role that an administrator granted access by hand."""
    administer(postgres, "create role {name}", name=BI_ROLE)
    yield BI_ROLE
    administer(postgres, "drop role if exists {name}", name=BI_ROLE)


def retired(warehouse: Warehouse) -> list[str]:
    return [name for name in warehouse.relations() if "__retired_" in name]


def test_an_unchanged_run_brings_in_new_data_and_disturbs_nobody(warehouse: Warehouse) -> None:
    """A reader of everything keeps its transaction open: a run that minded could not end."""
    before, described = warehouse.relations(), warehouse.rows(DESCRIPTIONS)
    touches = "select sum(touches) from public.analytics_outreach_kpis"
    earlier = warehouse.value(touches)
    with warehouse.connect() as connection:
        added = tick(connection).activities
    with warehouse.connect() as reader:
        for name in before:
            reader.execute(text(f"table {name} limit 1"))
        ran = warehouse.run()
        held = "select count(distinct relation) from pg_locks where pid = pg_backend_pid()"
        assert reader.execute(text(held)).scalar_one() >= len(before)
    assert warehouse.relations() == before
    assert warehouse.rows(DESCRIPTIONS) == described
    assert warehouse.value(touches) == earlier + added
    views = {said for name, said in ran.with_status("success").items() if "stg" in name}
    assert views == {"UNCHANGED"}


def test_a_changed_description_arrives(warehouse: Warehouse) -> None:
    with warehouse.edited(
        "models/staging/crm/stg_crm__owners.yml", "Sales region.", "It's 100% new."
    ):
        warehouse.run("--select", "stg_crm__owners")
    said = "select col_description('staging.stg_crm__owners'::regclass, 3)"
    assert warehouse.value(said) == "It's 100% new."


def test_a_changed_select_takes_effect_and_everything_around_it_survives(
    bi_role: str, warehouse: Warehouse
) -> None:
    warehouse.execute(
        "create view public.team_pipeline as select team, sum(won_value) as won"
        " from analytics.pipeline_kpis group by team",
        f"grant select on analytics.pipeline_kpis to {bi_role}",
    )
    before = warehouse.relations()
    with warehouse.edited(
        PIPELINE, "        summed.stage,\n", "        upper(summed.stage) as stage,\n"
    ):
        ran = warehouse.run("--select", "pipeline_kpis")
    after = warehouse.relations()
    assert warehouse.value("select stage from analytics_pipeline_kpis limit 1").isupper()
    assert {name for name in after if after[name] != before[name]} == {"analytics.pipeline_kpis"}
    assert ran.warnings == []
    assert warehouse.value(  # not left behind on the dropped version
        "select 'analytics.pipeline_kpis'::regclass = any(array(select refobjid from pg_depend"
        " inner join pg_rewrite on pg_rewrite.oid = objid"
        " where ev_class = 'public.team_pipeline'::regclass))"
    )
    for role in (bi_role, "analytics_reader"):
        assert warehouse.value(
            f"select has_table_privilege('{role}', 'analytics.pipeline_kpis', 'select')"
        )


def test_a_column_that_the_old_name_showed_can_go(warehouse: Warehouse) -> None:
    with warehouse.edited(PIPELINE, "        owners.team,\n", ""):
        warehouse.run("--select", "pipeline_kpis")
    columns = {
        name
        for (name,) in warehouse.rows("""
        select attname from pg_attribute
        where attrelid = 'public.analytics_pipeline_kpis'::regclass and attnum > 0
    """)
    }
    assert "team" not in columns
    assert "owner_name" in columns
    assert retired(warehouse) == []


def test_a_new_index_is_made_in_place(warehouse: Warehouse) -> None:
    before = warehouse.relations()
    with warehouse.edited(PIPELINE, "{'columns': ['month']}", "{'columns': ['team', 'month']}"):
        warehouse.run("--select", "pipeline_kpis")
    assert warehouse.relations() == before
    indexes = warehouse.rows(
        "select pg_get_indexdef(indexrelid) from pg_index"
        " where indrelid = 'analytics.pipeline_kpis'::regclass"
    )
    assert {definition.split("btree ")[1] for (definition,) in indexes} == {
        "(owner_id, stage, month)",
        "(team, month)",
    }


def test_full_refresh_rebuilds_the_kpis_and_drops_nothing_else(warehouse: Warehouse) -> None:
    before = warehouse.relations()
    warehouse.run("--full-refresh", "--select", "stg_crm__owners", "kpis")
    after = warehouse.relations()
    assert after.keys() == before.keys()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {name for name in after if name.startswith("analytics.")}


def test_a_staging_view_that_gains_a_column_is_replaced_in_place(warehouse: Warehouse) -> None:
    before = warehouse.relations()
    with (
        warehouse.edited(
            OWNERS,
            "deleted_at is null as is_active\n",
            "deleted_at is null as is_active,\n        hired_on as since\n",
        ),
        warehouse.edited(
            OWNERS,
            "false as is_active\n",
            "false as is_active,\n        cast(null as date) as since\n",
        ),
    ):
        ran = warehouse.run("--select", "stg_crm__owners")
    assert ran.nodes["stg_crm__owners"] == ("success", "REPLACE VIEW")
    assert warehouse.relations() == before
    assert warehouse.rows("select since from staging.stg_crm__owners limit 1")


def test_a_staging_view_that_loses_a_column_takes_nothing_along(warehouse: Warehouse) -> None:
    warehouse.execute(
        "create view public.newcomers as select hired_on from staging.stg_crm__owners"
    )
    before = warehouse.relations()
    with (
        warehouse.edited(OWNERS, "        hired_on,\n", ""),
        warehouse.edited(OWNERS, "        cast(null as date) as hired_on,\n", ""),
        warehouse.edited(
            OWNERS.replace(".sql", ".yml"),
            "      - name: hired_on\n        description: First day at work.\n",
            "",
        ),
    ):
        alone = warehouse.run("--select", "stg_crm__owners")
        assert before.keys() < warehouse.relations().keys()
        assert warehouse.rows("select * from analytics_pipeline_kpis limit 1")
        everything = warehouse.run("--select", "stg_crm__owners+")
        assert before.keys() < warehouse.relations().keys()
        assert "analytics.pipeline_kpis still reads the previous version" in "".join(alone.warnings)
        assert "public.newcomers still reads the previous version" in "".join(everything.warnings)
        assert "analytics" not in "".join(everything.warnings)
        assert warehouse.rows("select hired_on from newcomers")
        warehouse.execute("drop view newcomers")
        warehouse.run("--select", "stg_crm__owners")
    assert warehouse.relations().keys() == before.keys() - {"public.newcomers"}


def test_a_change_waits_for_an_open_reader_and_lets_new_readers_pass(warehouse: Warehouse) -> None:
    outcomes: list[bool] = []
    with warehouse.edited(PIPELINE, "        owners.team,\n", ""):
        changing = threading.Thread(
            target=lambda: outcomes.append(
                warehouse.dbt("run", "--select", "pipeline_kpis").success
            )
        )
        with warehouse.connect() as reader:
            reader.execute(text("select 1 from analytics.pipeline_kpis limit 1"))
            changing.start()
            wait_until(
                lambda: warehouse.value(
                    "select count(*) from pg_stat_activity where query like '%with_lock_retries%'"
                    " and wait_event in ('relation', 'PgSleep') and pid <> pg_backend_pid()"
                ),
                timeout=60,
            )
            for _ in range(20):
                warehouse.execute(
                    "set local lock_timeout = '1s'", "select 1 from analytics_pipeline_kpis limit 1"
                )
            assert outcomes == []
        changing.join()
    assert outcomes == [True]


def test_a_table_under_the_old_name_is_never_touched(warehouse: Warehouse) -> None:
    warehouse.execute(
        "drop view public.analytics_outreach_kpis",
        "create table public.analytics_outreach_kpis as select 'precious' as data",
    )
    ran = warehouse.dbt("run", "--select", "outreach_kpis")
    assert not ran.success
    assert "analytics_outreach_kpis already exists and is not a view" in ran.nodes["outreach_kpis"][
        1
    ].replace('"', "")
    assert warehouse.value("select data from public.analytics_outreach_kpis") == "precious"
