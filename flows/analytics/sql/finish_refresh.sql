update ops.refresh_log
set
    status = :status,
    mode = :mode,
    reason = :reason,
    rows = :rows,
    bytes = :bytes,
    wait_seconds = :wait_seconds,
    seconds = :seconds,
    error = :error,
    fingerprint = cast(:fingerprint as jsonb),
    finished_at = clock_timestamp()
where id = :id;
