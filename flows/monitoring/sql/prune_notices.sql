delete from ops.deployment_notices
where status <> 'pending' and created_at < now() - make_interval(days => :days);
