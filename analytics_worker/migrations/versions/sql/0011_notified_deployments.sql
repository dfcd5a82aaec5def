alter table ops.deployment_health add column notified_since timestamptz;
comment on column ops.deployment_health.notified_since is 'Start of the last failures that somebody was notified of; while it fails and this is not since, nobody was';

-- The version before enqueued a notice for each recipient, if there was one.
update ops.deployment_health as health
set notified_since = health.since
where
    health.status = 'failing'
    and exists (
        select
        from ops.messages as message
        where
            message.domain = 'monitoring'
            and message.kind = 'deployment_failing'
            and message.reference = health.deployment
            and message.created_at >= health.since
    );

alter table ops.deliveries add column failed_at timestamptz;
comment on column ops.deliveries.failed_at is 'When an attempt last failed';
