select pauses
from ops.delivery_channels
where channel = :channel and paused_until > now() - interval '1 hour'
