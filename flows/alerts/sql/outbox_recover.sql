-- Take back what a dead sender had claimed: its connection is gone, or its host has been silent.
update ops.alert_deliveries
set status = 'pending', lease_owner = null, lease_until = null
where
    status = 'sending'
    and (
        lease_until < now()
        or not exists (
            select 1
            from pg_locks as held
            where
                held.locktype = 'advisory'
                and held.database = (select oid from pg_database where datname = current_database())
                and held.classid = hashtext('ops.alert_deliveries')::oid
                and held.objid = hashtext(lease_owner)::oid
        )
    )
