update ops.delivery_channels
set not_configured_since = null, reason = null
where channel = :channel and not_configured_since is not null
