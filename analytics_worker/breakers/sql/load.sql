select
    state, generation, failures, probe_successes, opened_at, waiting_since, reset_timeout,
    probe, probe_since, probe_lease, last_error, last_failure_at,
    failures_total, successes_total, rejections_total, trips_total
from breaker
where name = ?
