select pg_advisory_unlock(hashtext('ops.alert_deliveries'), hashtext(:owner))
