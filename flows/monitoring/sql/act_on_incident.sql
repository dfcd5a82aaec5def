-- Store an action of a user on an incident, and add it to the history.
with changed as (
    update ops.incidents
    set
        acknowledged_at = coalesce(:acknowledged_at, acknowledged_at),
        acknowledged_by = coalesce(:acknowledged_by, acknowledged_by),
        assigned_to = coalesce(:assigned_to, assigned_to),
        snoozed_until = coalesce(:snoozed_until, snoozed_until)
    where id = :id
    returning id, severity
)

insert into ops.incident_events (incident_id, at, kind, actor, severity, text)
select id, now(), :kind, :actor, severity, :text
from changed
