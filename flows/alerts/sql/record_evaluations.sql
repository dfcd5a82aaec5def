with found as materialized (
    select *
    from
        jsonb_to_recordset(cast(:evaluations as jsonb)) as found (
            rule_id bigint, slot timestamptz, evaluated_at timestamptz, status text, severity text,
            value double precision, reading double precision, rows integer, keys integer, firing integer,
            milliseconds double precision, attempts smallint, error text, readings jsonb,
            health_error text, health_since timestamptz, health_told boolean, watched boolean
        )
),

recorded as (
    insert into ops.alert_evaluations (
        rule_id, slot, evaluated_at, status, severity, value, reading, rows, keys, firing,
        milliseconds, attempts, error, readings, flow_run_id
    )
    select
        rule_id, slot, evaluated_at, status, severity, value, reading, rows, keys, firing,
        milliseconds, attempts, error, readings, cast(:flow_run_id as uuid)
    from found
)

update ops.alert_rules as rule
set
    evaluated_slot = date_bin(rule.every, found.slot, timestamptz 'epoch'),
    evaluated_at = found.evaluated_at,
    milliseconds = found.milliseconds,
    error = found.health_error,
    error_since = found.health_since,
    error_told = found.health_told,
    watched = found.watched
from found
where rule.id = found.rule_id
