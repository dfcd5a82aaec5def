select count(*) as samples from ops.worker_metrics where collected_at >= :since;
