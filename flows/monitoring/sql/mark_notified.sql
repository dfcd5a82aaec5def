update ops.deployment_health
set notified_since = since
where deployment = any(:deployments);
