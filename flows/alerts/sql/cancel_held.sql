update ops.deliveries
set status = 'cancelled', last_error = :reason || ' before it was sent'
where id = any(cast(:ids as uuid []))
