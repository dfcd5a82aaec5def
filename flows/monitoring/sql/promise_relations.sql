-- The days on which relations are awaited: when they were complete through the start of the day, or what they wait for.
-- Data of the day before counts if fewer than 10 rows are missing by the arrival pattern, or, without one, if it came
-- since the start of the day.
with awaited as (
    select
        d.name, d.day, d.target, p.schema_name, p.relation_name,
        c.complete_through, c.basis, c.limited_by,
        case c.basis when 'last change' then c.complete_through else coalesce(h.since, c.measured_at) end as known_since,
        s.complete_through as source_through,
        s.measured_at as source_since,
        k.kind
    from ops.promise_days as d
    inner join ops.promises as p on d.name = p.name
    left join ops.completeness as c on p.schema_name = c.schema_name and p.relation_name = c.relation_name
    left join ops.completeness as s on c.limited_by = s.schema_name || '.' || s.relation_name
    left join ops.catalog_relations as k on p.schema_name = k.schema_name and p.relation_name = k.relation_name
    left join lateral (
        select l.since
        from ops.completeness_history as l
        where
            l.schema_name = c.schema_name and l.relation_name = c.relation_name
            and l.complete_through = c.complete_through
        order by l.since desc
        limit 1
    ) as h on true
    where
        p.kind = 'relation' and d.arrived_at is null and d.opens_at <= :now
        and d.due_at > cast(:now as timestamptz) - interval '40 days'
),

found as (
    select
        a.*,
        a.complete_through >= a.target or (
            a.basis in ('declared column', 'lineage')
            and a.complete_through >= a.target - interval '1 day'
            and coalesce(ops.missing_rows(a.limited_by, a.complete_through, a.target) < 10, a.known_since >= a.target)
        ) as is_complete,
        a.source_through >= a.target or (
            a.source_through >= a.target - interval '1 day'
            and coalesce(ops.missing_rows(a.limited_by, a.source_through, a.target) < 10, a.source_since >= a.target)
        ) as is_source_complete
    from awaited as a
)

select
    f.name,
    f.day,
    case when f.is_complete then greatest(f.target, f.known_since) end as arrived_at,
    case
        when f.limited_by is not null and not coalesce(f.is_source_complete, false) then 'source'
        when f.kind = 'materialized view' then 'refresh'
        when exists (
            select from ops.dbt_relations as r
            where
                r.schema_name = f.schema_name and r.relation_name = f.relation_name and r.inputs <> '[]'
        ) then 'dbt'
        else 'change'
    end as waits_for,
    coalesce(f.limited_by, '') as detail,
    case when f.limited_by is not null then f.source_through else f.complete_through end as through,
    b.began_at,
    u.seconds as usual_seconds
from found as f
left join lateral (
    select max(l.started_at) as began_at
    from ops.refresh_log as l
    where
        l.schema_name = f.schema_name and l.view_name = f.relation_name and l.status = 'running'
        and l.started_at > f.target
) as b on f.kind = 'materialized view'
left join lateral (
    select percentile_cont(0.5) within group (order by extract(epoch from l.finished_at - l.started_at)) as seconds
    from (
        select started_at, finished_at
        from ops.refresh_log
        where schema_name = f.schema_name and view_name = f.relation_name and status = 'success'
        order by id desc
        limit 20
    ) as l
) as u on f.kind = 'materialized view'
