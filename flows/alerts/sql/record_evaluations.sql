-- Record evaluations and the SQL that they ran: the one of the definition, because the rules are locked.
with evaluation as materialized (
    select
        found.*,
        case when found.ran_sql then rule.definition ->> 'sql' end as sql,
        case
            when found.ran_sql then encode(sha256(convert_to(rule.definition ->> 'sql', 'UTF8')), 'hex')
        end as sql_hash
    from
        jsonb_to_recordset(cast(:evaluations as jsonb)) as found (
            rule_id bigint, slot timestamptz, evaluated_at timestamptz, status text, severity text,
            value numeric, sample numeric, rows integer, keys integer, firing integer,
            milliseconds double precision, attempts smallint, error text, samples jsonb,
            health_error text, health_since timestamptz, health_notified boolean, health_notified_at timestamptz,
            succeeded_at timestamptz, no_data_since timestamptz, no_data_notified_at timestamptz, watched boolean,
            ran_sql boolean, muted_by text
        )
    inner join ops.alert_rules as rule on found.rule_id = rule.id
),

recorded as (
    insert into ops.alert_evaluations (
        rule_id, slot, evaluated_at, status, severity, value, reading, rows, keys, firing,
        milliseconds, attempts, error, readings, sql_hash, flow_run_id
    )
    select
        rule_id, slot, evaluated_at, status, severity, value, sample, rows, keys, firing,
        milliseconds, attempts, error, samples, sql_hash, cast(:flow_run_id as uuid)
    from evaluation
),

recorded_sql as (
    insert into ops.alert_sql (rule_id, hash, sql, first_run_at, last_run_at)
    select rule_id, sql_hash, left(sql, 20000), evaluated_at, evaluated_at
    from evaluation
    where
        sql_hash is not null
        and not exists (
            select
            from ops.alert_sql as recent
            where
                recent.rule_id = evaluation.rule_id
                and recent.hash = evaluation.sql_hash
                and recent.last_run_at > evaluation.evaluated_at - interval '1 day'
        )
    on conflict (rule_id, hash) do update
        set last_run_at = excluded.last_run_at
)

update ops.alert_rules as rule
set
    evaluated_slot = case
        when coalesce(rule.definition ->> 'at', rule.definition ->> 'cron') is not null then evaluation.slot
        else date_bin(rule.every, evaluation.slot, timestamptz 'epoch')
    end,
    evaluated_at = evaluation.evaluated_at,
    milliseconds = evaluation.milliseconds,
    error = evaluation.health_error,
    error_since = evaluation.health_since,
    error_told = evaluation.health_notified,
    error_told_at = evaluation.health_notified_at,
    succeeded_at = evaluation.succeeded_at,
    no_data_since = evaluation.no_data_since,
    no_data_told_at = evaluation.no_data_notified_at,
    watched = evaluation.watched,
    muted_by = evaluation.muted_by,
    incomplete_since = null
from evaluation
where rule.id = evaluation.rule_id
