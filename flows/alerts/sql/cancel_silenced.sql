update ops.deliveries
set status = 'cancelled', last_error = 'silenced before it was sent'
where id = any(cast(:ids as uuid []))
