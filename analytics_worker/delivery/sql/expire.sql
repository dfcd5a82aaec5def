-- Fail messages that have waited for too long; those that were never tried are tried first.
with expired as (
    update ops.deliveries
    set status = 'failed'
    where
        status = 'pending'
        and digest_of is null
        and last_error is not null
        and queued_at < now() - make_interval(secs => :max_age_seconds)
        and (cast(:domain as text) is null or domain = :domain)
    returning id, last_error
),

members as (
    update ops.deliveries as member
    set status = 'failed', last_error = expired.last_error
    from expired
    where member.digest_of = expired.id and member.status = 'pending'
)

select id from expired
