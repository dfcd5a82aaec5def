-- Causes of the open incidents that no recipient was notified of. Reports notify their owners themselves.
select i.cause_name
from ops.incidents as i
where
    i.resolved_at is null
    and i.threads = '[]'
    and (i.snoozed_until is null or i.snoozed_until < now())
    and not (
        exists (select from ops.incident_units as u where u.incident_id = i.id and u.kind = 'report')
        and not exists (
            select from ops.incident_units as u
            where u.incident_id = i.id and u.kind not in ('report', 'deployment')
        )
    )
order by i.opened_at, i.id
