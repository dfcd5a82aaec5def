select
    channel,
    coalesce(paused_until > now(), false) as paused,
    not_configured_since is not null as not_configured
from ops.delivery_channels
