-- Relations with a declared event-time column that lack rows, or whose data is much older than it ever was just
-- before new data came. Two weeks of ten or more changes are needed to know how old it gets.
with arrivals as (
    select
        schema_name,
        relation_name,
        since,
        lead(since) over one - complete_through as age_at_next
    from ops.completeness_history
    where since > now() - interval '42 days'
    window one as (partition by schema_name, relation_name order by since)
),

usual as (
    select schema_name, relation_name, max(age_at_next) as oldest
    from arrivals
    where age_at_next is not null
    group by schema_name, relation_name
    having count(*) >= 10 and min(since) < now() - interval '14 days'
),

found as (
    select
        m.schema_name,
        m.relation_name,
        m.complete_through,
        case when m.complete_through is not null then m.reason end as gap,
        u.oldest,
        now() - m.complete_through > u.oldest * 1.5 + interval '1 hour' as is_stopped
    from ops.event_time_measurements as m
    left join usual as u on m.schema_name = u.schema_name and m.relation_name = u.relation_name
)

select
    'relation' as kind,
    '' as name,
    f.schema_name,
    f.relation_name,
    'warning' as severity,
    case when f.is_stopped then f.complete_through + f.oldest else f.complete_through end as since,
    case
        when f.is_stopped
            then
                'complete through ' || to_char(f.complete_through at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
                || ' UTC; it was never more than ' || ceil(extract(epoch from f.oldest) / 3600)
                || ' hours old before new data came'
        else f.gap
    end as message,
    null as owner,
    null as run_id,
    'data of ' || f.schema_name || '.' || f.relation_name as label
from found as f
where f.is_stopped or f.gap is not null
