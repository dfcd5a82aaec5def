-- Causes of the open incidents that no recipient was notified of.
select cause_name
from ops.incidents
where resolved_at is null and threads = '[]' and (snoozed_until is null or snoozed_until < now())
order by opened_at, id
