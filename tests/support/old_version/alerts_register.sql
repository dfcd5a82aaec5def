-- The sender is alive as long as its connection holds this lock.
select pg_advisory_lock(hashtext('ops.alert_deliveries'), hashtext(:owner))
