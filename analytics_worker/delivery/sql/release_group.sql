-- Let messages be sent that have waited for others.
update ops.deliveries
set group_until = null
where
    id = any(cast(:ids as uuid[]))
    and status = 'pending'
    and digest_of is null
    and group_until is not null
returning id
