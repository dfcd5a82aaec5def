-- Materialized views whose last refresh failed, in a run that has ended: until then, it is tried again.
with views as (
    select c.oid, n.nspname::text as schema_name, c.relname::text as relation_name
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where c.relkind = 'm'
)

select
    'relation' as kind,
    '' as name,
    v.schema_name,
    v.relation_name,
    'critical' as severity,
    coalesce(first.started_at, last.started_at) as since,
    coalesce(last.error, last.reason, '') as message,
    null as owner,
    last.flow_run_id as run_id,
    'refresh of ' || v.schema_name || '.' || v.relation_name as label
from views as v
cross join lateral (
    select l.id, l.status, l.error, l.reason, l.started_at, l.flow_run_id
    from ops.refresh_log as l
    where
        l.schema_name = v.schema_name
        and l.view_name = v.relation_name
        and l.view_oid = v.oid
        and (
            l.status in ('success', 'unchanged')
            or (
                l.status = 'failed'
                and (
                    l.finished_at < now() - interval '5 minutes'
                    or exists (select from ops.judged_runs as j where j.run_id = l.flow_run_id)
                )
            )
        )
    order by l.id desc
    limit 1
) as last
left join lateral (
    select f.started_at
    from ops.refresh_log as f
    where
        f.schema_name = v.schema_name
        and f.view_name = v.relation_name
        and f.view_oid = v.oid
        and f.status = 'failed'
        and f.id > coalesce(
            (
                select max(s.id)
                from ops.refresh_log as s
                where
                    s.schema_name = v.schema_name
                    and s.view_name = v.relation_name
                    and s.view_oid = v.oid
                    and s.status in ('success', 'unchanged')
            ),
            0
        )
    order by f.id
    limit 1
) as first on last.status = 'failed'
where last.status = 'failed'
