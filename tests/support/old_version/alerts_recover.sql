-- Take back what a dead sender had claimed: its connection is gone, or its host has been silent.
update ops.alert_deliveries
set status = 'pending', lease_owner = null, lease_until = null
where
    status = 'sending'
    and (
        lease_until < now()
        or not exists (
            select
            from ops.lock_holders(
                hashtext('ops.alert_deliveries'), hashtext(lease_owner), cast(2 as smallint)
            )
        )
    )
