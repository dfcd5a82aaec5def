with evaluation as materialized (
    select *
    from
        jsonb_to_recordset(cast(:evaluations as jsonb)) as evaluation (
            rule_id bigint, slot timestamptz, evaluated_at timestamptz, status text, severity text,
            value double precision, sample double precision, rows integer, keys integer, firing integer,
            milliseconds double precision, attempts smallint, error text, samples jsonb,
            health_error text, health_since timestamptz, health_notified boolean, watched boolean
        )
),

recorded as (
    insert into ops.alert_evaluations (
        rule_id, slot, evaluated_at, status, severity, value, reading, rows, keys, firing,
        milliseconds, attempts, error, readings, flow_run_id
    )
    select
        rule_id, slot, evaluated_at, status, severity, value, sample, rows, keys, firing,
        milliseconds, attempts, error, samples, cast(:flow_run_id as uuid)
    from evaluation
)

update ops.alert_rules as rule
set
    evaluated_slot = date_bin(rule.every, evaluation.slot, timestamptz 'epoch'),
    evaluated_at = evaluation.evaluated_at,
    milliseconds = evaluation.milliseconds,
    error = evaluation.health_error,
    error_since = evaluation.health_since,
    error_told = evaluation.health_notified,
    watched = evaluation.watched
from evaluation
where rule.id = evaluation.rule_id
