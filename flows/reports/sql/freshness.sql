-- Whether what a report waits for has happened since its period ended.
select
    exists (
        select 1
        from ops.dbt_runs
        where command = 'dbt run' and status = 'success' and started_at >= :since
    ) as dbt,
    array(
        select wanted.view
        from unnest(cast(:views as text [])) as wanted (view)
        where not exists (
            select 1
            from ops.refresh_log as log
            where
                log.status in ('success', 'unchanged')
                and log.started_at >= :since
                and wanted.view in (log.view_name, log.schema_name || '.' || log.view_name)
        )
        order by wanted.view
    ) as stale_views
