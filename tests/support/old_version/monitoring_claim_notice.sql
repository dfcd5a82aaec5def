-- The oldest notice that is due; the lock on its row lasts until it is settled, or its sender dies.
select id, deployment, kind, details, channel, recipient, attempts, created_at
from ops.deployment_notices
where status = 'pending' and next_attempt_at <= now() and id <> all(cast(:tried as uuid []))
order by created_at, id
limit 1
for update skip locked;
