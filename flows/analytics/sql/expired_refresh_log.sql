-- The last success of each view stays: the next run compares with it.
with expired as materialized (
    select r.id
    from ops.refresh_log as r
    where r.started_at < now() - make_interval(days => :days)
        and r.status <> 'running'
        and not (
            r.status = 'success'
            and not exists (
                select 1 from ops.refresh_log as newer
                where newer.schema_name = r.schema_name
                    and newer.view_name = r.view_name
                    and newer.status = 'success'
                    and newer.id > r.id
            )
            and exists (select 1 from pg_class where oid = r.view_oid)
        )
    order by r.started_at
    limit :batch
),
deleted as (
    delete from ops.refresh_log as r
    using expired
    where r.id = expired.id and not :preview
    returning 1
)
select count(*) as expired from expired;
