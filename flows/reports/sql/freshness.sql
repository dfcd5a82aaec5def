-- Return whether the data that a report waits for has arrived since its period ended.
select
    exists (
        select 1
        from ops.dbt_runs
        where command = 'dbt run' and status = 'success' and started_at >= :since
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
    ) as stale_views
