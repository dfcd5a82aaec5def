-- Release a message for a sender that can open its attachments. No attempt is counted.
update ops.deliveries
set
    status = 'pending',
    last_error = :error,
    refused_by = array_append(array_remove(refused_by, cast(:sender as text)), cast(:sender as text)),
    refused_at = now(),
    lease_owner = null,
    lease_until = null
where id = :id and status = 'sending' and lease_owner = :owner
returning id
