update ops.deliveries
set status = 'cancelled', last_error = :reason
where message_id = any(cast(:ids as uuid[])) and status = 'pending'
returning id
