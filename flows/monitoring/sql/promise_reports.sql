-- The days on which reports are awaited: when all runs of the period were delivered, or what they wait for.
with awaited as (
    select d.name, d.day, d.target, p.report, r.definition
    from ops.promise_days as d
    inner join ops.promises as p on d.name = p.name
    inner join ops.report_definitions as r on p.report = r.name
    where
        p.kind = 'report' and d.arrived_at is null and d.opens_at <= :now
        and d.due_at > cast(:now as timestamptz) - interval '40 days'
),

runs as (
    select
        a.name,
        a.day,
        r.status,
        r.error,
        r.unmet,
        case
            when r.status = 'skipped' or (r.status = 'ready' and s.deliveries = 0) then r.finished_at
            when r.status = 'ready' and s.waiting = 0 then s.sent_at
        end as arrived_at,
        s.last_error
    from awaited as a
    inner join ops.report_runs as r on a.report = r.report and a.target = r.period_end and r.kind = 'scheduled'
    cross join lateral (
        select
            count(*) as deliveries,
            count(*) filter (where x.status in ('pending', 'sending')) as waiting,
            max(coalesce(x.sent_at, r.finished_at)) filter (where x.status in ('sent', 'digested')) as sent_at,
            max(x.last_error) filter (where x.status <> 'sent') as last_error
        from ops.messages as m
        inner join ops.deliveries as x on m.id = x.message_id
        where m.domain = 'reports' and m.kind = 'report' and m.reference = r.id::text
    ) as s
),

found as (
    select
        name,
        day,
        case when bool_and(arrived_at is not null) then max(arrived_at) end as arrived_at,
        bool_or(status = 'failed') as has_failed,
        bool_or(status = 'held') as is_held,
        max(unmet ->> 0) filter (where status = 'held') as unmet,
        bool_or(status in ('pending', 'running')) as is_generated,
        max(error) as error,
        max(last_error) filter (where arrived_at is null) as last_error
    from runs
    group by name, day
)

select
    a.name,
    a.day,
    f.arrived_at,
    case
        when f.has_failed or f.error is not null then 'failure'
        when f.is_held then 'requirements'
        when f.is_generated then 'generation'
        when f.name is not null then 'delivery'
        when a.definition -> 'after' ->> 'dbt' is not null and m.is_stale then 'dbt'
        else 'run'
    end as waits_for,
    coalesce(f.error, f.unmet, f.last_error, '') as detail,
    cast(null as timestamptz) as through,
    cast(null as timestamptz) as began_at,
    cast(null as double precision) as usual_seconds
from awaited as a
left join found as f on a.name = f.name and a.day = f.day
cross join lateral (
    select count(*) = 0 or coalesce(bool_or(h.built_at is null or h.built_at < a.target), false) as is_stale
    from ops.unit_reads as u
    cross join lateral jsonb_array_elements(u.relations) as r (relation)
    inner join ops.dbt_node_health as h
        on h.schema_name = r.relation ->> 0 and h.relation_name = r.relation ->> 1
        and h.resource_type = 'model' and h.database_name = current_database()
    where u.kind = 'report' and u.name = a.report
) as m
