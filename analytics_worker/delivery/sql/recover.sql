-- Take back what dead senders had claimed: the connection is gone, or the host has been silent.
update ops.deliveries
set status = 'pending', lease_owner = null, lease_until = null
where
    status = 'sending'
    and (lease_until < now() or not ops.sender_is_alive(lease_owner))
returning id
