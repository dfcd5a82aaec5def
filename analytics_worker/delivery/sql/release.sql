-- Release claims on deliveries that were not sent.
update ops.deliveries
set status = 'pending', lease_owner = null, lease_until = null
where status = 'sending' and lease_owner = :owner and id = any(cast(:claimed as uuid[]))
returning id
