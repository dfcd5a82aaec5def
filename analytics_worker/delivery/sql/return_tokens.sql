update ops.delivery_channels
set tokens = tokens + :unused
where channel = :channel
