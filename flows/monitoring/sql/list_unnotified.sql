-- Failing deployments without a notification.
select deployment
from ops.deployment_health
where status = 'failing' and notified_since is distinct from since
order by since, deployment;
