-- Record one event per notification; return the ids, by which messages refer to them.
insert into ops.alert_events (uid, rule_id, kind, severity, audience, group_key, keys, details, flow_run_id, created_at)
select
    uid, rule_id, kind, severity, audience, group_key, keys, details, cast(:flow_run_id as uuid), created_at
from
    jsonb_to_recordset(cast(:events as jsonb)) as found (
        uid uuid, rule_id bigint, kind text, severity text, audience text, group_key text,
        keys integer, details jsonb, created_at timestamptz
    )
returning id, uid
