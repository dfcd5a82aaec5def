with removed as (
    delete from ops.alert_states as state
    using jsonb_to_recordset(cast(:removed_states as jsonb)) as removed_state (rule_id bigint, key text)
    where state.rule_id = removed_state.rule_id and state.key = removed_state.key
)

insert into ops.alert_states as state (
    rule_id, key, since, status, severity, value, reading, worst, pending_since, firing_since,
    empty_since, told, told_at, ok_since, missing_since, no_data_told, changes, flapping_since, calm_ended_at,
    muted_by, told_to
)
select
    rule_id, key, since, status, severity, value, sample, worst_value, pending_since, firing_since,
    empty_since, notified_severity, notified_at, ok_since, missing_since, no_data_notified, changes, flapping_since, calm_ended_at,
    muted_by, told_to
from
    jsonb_to_recordset(cast(:states as jsonb)) as new_state (
        rule_id bigint, key text, since timestamptz, status text, severity text,
        value numeric, sample numeric, worst_value numeric,
        pending_since timestamptz, firing_since timestamptz, empty_since timestamptz,
        notified_severity text, notified_at timestamptz, ok_since timestamptz,
        missing_since timestamptz, no_data_notified boolean,
        changes timestamptz [], flapping_since timestamptz,
        calm_ended_at timestamptz,
        muted_by text,
        told_to jsonb
    )
on conflict (rule_id, key) do update
    set
        since = excluded.since,
        status = excluded.status,
        severity = excluded.severity,
        value = excluded.value,
        reading = excluded.reading,
        worst = excluded.worst,
        pending_since = excluded.pending_since,
        firing_since = excluded.firing_since,
        empty_since = excluded.empty_since,
        told = excluded.told,
        told_at = excluded.told_at,
        ok_since = excluded.ok_since,
        missing_since = excluded.missing_since,
        no_data_told = excluded.no_data_told,
        changes = excluded.changes,
        flapping_since = excluded.flapping_since,
        calm_ended_at = excluded.calm_ended_at,
        muted_by = excluded.muted_by,
        told_to = excluded.told_to,
        updated_at = now()
