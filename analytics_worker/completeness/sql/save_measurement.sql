-- Store a measurement, and the value in the history where it changed.
with saved as (
    insert into ops.event_time_measurements as m (
        schema_name, relation_name, column_name, origin, latest_event, complete_through, modifications,
        counted_from, measured_at, retry_at, reason, missing
    )
    values (
        :schema_name, :relation_name, :column_name, :origin, :latest_event, :complete_through, :modifications,
        :counted_from, :measured_at, :retry_at, :reason, cast(:missing as jsonb)
    )
    on conflict (schema_name, relation_name) do update set
        column_name = excluded.column_name,
        origin = excluded.origin,
        latest_event = excluded.latest_event,
        complete_through = excluded.complete_through,
        modifications = excluded.modifications,
        counted_from = excluded.counted_from,
        measured_at = excluded.measured_at,
        retry_at = excluded.retry_at,
        reason = excluded.reason,
        missing = excluded.missing
),

last as (
    select complete_through
    from ops.completeness_history
    where schema_name = :schema_name and relation_name = :relation_name
    order by since desc
    limit 1
)

insert into ops.completeness_history (schema_name, relation_name, since, complete_through)
select :schema_name, :relation_name, :measured_at, cast(:complete_through as timestamptz)
where (select complete_through from last) is distinct from cast(:complete_through as timestamptz)
on conflict do nothing
