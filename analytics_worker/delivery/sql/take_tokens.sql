-- Take tokens from a channel's token bucket, which all hosts share.
with bucket as (
    select
        channel,
        least(
            :capacity,
            tokens + :per_second * greatest(0, extract(epoch from clock_timestamp() - refilled_at))
        ) as level
    from ops.delivery_channels
    where channel = :channel
    for update
)

update ops.delivery_channels as pace
set
    tokens = bucket.level - least(:requested, floor(bucket.level)),
    refilled_at = greatest(pace.refilled_at, clock_timestamp())
from bucket
where pace.channel = bucket.channel
returning
    cast(least(:requested, floor(bucket.level)) as integer) as taken,
    cast(greatest(0, 1 - bucket.level) / :per_second as double precision) as wait_seconds
