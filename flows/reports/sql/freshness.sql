-- Return whether the data that a report waits for has arrived since its period ended. Names of relations
-- are quoted like those that the server reports. A read replica has what was recorded once it has replayed it.
with models as (
    select
        named.relation,
        max(node.built_at) as built_at
    from ops.dbt_node_health as node
    cross join lateral (
        select quote_ident(node.schema_name) || '.' || quote_ident(node.relation_name) as relation
    ) as named
    where
        node.resource_type = 'model'
        and node.database_name = current_database()
        and named.relation = any(cast(:relations as text []))
    group by named.relation
),

tests as (
    select
        named.relation,
        max(node.last_result_at) as ran_at
    from ops.unit_reads as test
    inner join ops.dbt_node_health as node on test.name = node.unique_id
    cross join lateral jsonb_array_elements(coalesce(test.tested, test.relations)) as tested (relation)
    cross join lateral (
        select quote_ident(tested.relation ->> 0) || '.' || quote_ident(tested.relation ->> 1) as relation
    ) as named
    where
        test.kind = 'dbt'
        and node.resource_type = 'test'
        and node.database_name in ('', current_database())
        and named.relation = any(cast(:relations as text []))
    group by named.relation
)

select
    exists (select from models) as reads_models,
    array(
        select models.relation
        from models
        where models.built_at is null or models.built_at < :since
        order by models.relation
    ) as stale_models,
    exists (select from tests) as reads_tested,
    array(
        select tests.relation
        from tests
        left join models on tests.relation = models.relation
        where tests.ran_at is null or tests.ran_at < greatest(:since, models.built_at)
        order by tests.relation
    ) as untested,
    exists (
        select 1
        from ops.dbt_runs
        where command in ('dbt test', 'dbt build') and executed > 0 and started_at >= :since
    ) as dbt_tests,
    exists (
        select 1
        from ops.dbt_runs
        where
            command = 'dbt run'
            and status = 'success'
            and not args && array['--empty', '--sample']
            and started_at >= :since
    ) as dbt,
    array(
        select awaited.view
        from unnest(cast(:views as text [])) as awaited (view)
        where not exists (
            select 1
            from ops.refresh_log as log
            where
                log.status in ('success', 'unchanged')
                and log.started_at >= :since
                and awaited.view in (log.view_name, log.schema_name || '.' || log.view_name)
        )
        order by awaited.view
    ) as stale_views,
    greatest(
        (select max(finished_at) from ops.refresh_log where started_at >= :since),
        (select max(started_at + make_interval(secs => seconds)) from ops.dbt_runs where started_at >= :since)
    ) as recorded_until
