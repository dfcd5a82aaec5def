-- Store the result of a request, once. A request of a lost run is not accepted after a newer one of the same
-- alert: its status is out of date. The caller holds the lock of the rule.
insert into ops.alert_requests (id, alert, requested_at, result)
select
    cast(:id as uuid), cast(:alert as text), cast(:requested_at as timestamptz), cast(:result as jsonb)
where
    not cast(:is_repeated as boolean)
    or not exists (
        select
        from ops.alert_requests as newer
        where
            md5(newer.alert) = md5(cast(:alert as text))
            and newer.requested_at > cast(:requested_at as timestamptz)
    )
on conflict (id) do nothing
returning id
