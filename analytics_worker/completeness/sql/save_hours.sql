-- Replace the counted hours from an instant on, and return the rows of all hours that are known then.
with removed as (
    delete from ops.event_hours
    where
        schema_name = :schema_name and relation_name = :relation_name
        and (hour >= :since or hour < cast(:since as timestamptz) - interval '70 days')
        and not hour = any(cast(:hours as timestamptz []))
),

counted as (
    select
        h.hour,
        h.counted as rows
    from unnest(cast(:hours as timestamptz []), cast(:counts as bigint [])) as h (hour, counted)
),

saved as (
    insert into ops.event_hours (schema_name, relation_name, hour, rows)
    select
        :schema_name,
        :relation_name,
        hour,
        rows
    from counted
    on conflict (schema_name, relation_name, hour) do update set rows = excluded.rows
)

select
    hour,
    rows
from counted
union all
select
    hour,
    rows
from ops.event_hours
where
    schema_name = :schema_name and relation_name = :relation_name
    and hour < :since and hour >= cast(:since as timestamptz) - interval '70 days'
