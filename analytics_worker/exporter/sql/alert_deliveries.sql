-- Messages of alerts that are settled. A message that is postponed keeps its time in the future.
select
    id as key,
    extract(epoch from next_attempt_at) as at,
    channel,
    status
from ops.alert_deliveries
where
    status in ('sent', 'failed', 'skipped')
    and next_attempt_at >= to_timestamp(%(since)s)
