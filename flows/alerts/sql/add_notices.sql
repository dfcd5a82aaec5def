-- Events, and one delivery for each of their recipients.
with happened as (
    insert into ops.alert_events (uid, rule_id, kind, severity, audience, group_key, keys, details, flow_run_id, created_at)
    select
        uid, rule_id, kind, severity, audience, group_key, keys, details, cast(:flow_run_id as uuid), created_at
    from
        jsonb_to_recordset(cast(:events as jsonb)) as found (
            uid uuid, rule_id bigint, kind text, severity text, audience text, group_key text,
            keys integer, details jsonb, created_at timestamptz
        )
    returning id, uid
)

insert into ops.alert_deliveries (event_id, channel, recipient, message_id, payload)
select
    happened.id,
    wanted.channel,
    wanted.recipient,
    wanted.message_id,
    payloads.payload
from
    jsonb_to_recordset(cast(:deliveries as jsonb)) as wanted (
        uid uuid, channel text, recipient text, message_id text
    )
inner join happened on wanted.uid = happened.uid
inner join jsonb_to_recordset(cast(:payloads as jsonb)) as payloads (uid uuid, payload jsonb)
    on wanted.uid = payloads.uid
