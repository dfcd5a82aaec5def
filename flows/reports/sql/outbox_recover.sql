-- Take back what a dead sender had claimed: its connection is gone, or its host has been silent.
update ops.report_deliveries
set status = 'pending', lease_owner = null, lease_until = null
where
    status = 'sending'
    and (lease_until < now() or not ops.report_worker_lives(lease_owner))
