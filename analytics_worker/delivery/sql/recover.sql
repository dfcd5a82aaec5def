-- Release the claims of dead senders, whose connection is closed or whose lease has expired.
update ops.deliveries
set status = 'pending', lease_owner = null, lease_until = null
where
    status = 'sending'
    and (lease_until < now() or not ops.sender_is_alive(lease_owner))
returning id
