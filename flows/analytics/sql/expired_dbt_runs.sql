-- Runs of dbt; their nodes go with them.
with expired as materialized (
    select id from ops.dbt_runs
    where started_at < now() - make_interval(days => :days)
    order by started_at
    limit :batch
),
deleted as (
    delete from ops.dbt_runs as r
    using expired as e
    where r.id = e.id and not :preview
    returning 1
)
select count(*) as expired from expired;
