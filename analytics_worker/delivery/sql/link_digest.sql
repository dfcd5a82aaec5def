with digest as (
    update ops.deliveries
    set queued_at = :queued_at
    where idempotency_key = :key
    returning id
)

update ops.deliveries as member
set digest_of = digest.id, group_until = null
from digest
where member.id = any(cast(:members as uuid[]))
returning member.id
