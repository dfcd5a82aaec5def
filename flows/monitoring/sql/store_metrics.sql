-- Insert the sample and delete some of those that are too old.
with expired as (
    delete from ops.worker_metrics
    where ctid in (
        select m.ctid from ops.worker_metrics as m
        where m.collected_at < now() - make_interval(days => :days)
        limit 1000
    )
    returning 1
)
insert into ops.worker_metrics (
    collected_at, host, cpu_count, cpu_percent, load_1m, load_5m, load_15m, memory_total_bytes,
    memory_available_bytes, disk_total_bytes, disk_free_bytes, processes, workers_online,
    runs_running, runs_waiting, runs_late, pools
)
values (
    date_trunc('minute', now()), :host, :cpu_count, :cpu_percent, :load_1m, :load_5m, :load_15m,
    :memory_total_bytes, :memory_available_bytes, :disk_total_bytes, :disk_free_bytes,
    cast(:processes as jsonb), :workers_online, :runs_running, :runs_waiting, :runs_late,
    cast(:pools as jsonb)
)
on conflict (host, collected_at) do update set
    cpu_percent = excluded.cpu_percent,
    load_1m = excluded.load_1m,
    load_5m = excluded.load_5m,
    load_15m = excluded.load_15m,
    memory_available_bytes = excluded.memory_available_bytes,
    disk_free_bytes = excluded.disk_free_bytes,
    processes = excluded.processes,
    workers_online = excluded.workers_online,
    runs_running = excluded.runs_running,
    runs_waiting = excluded.runs_waiting,
    runs_late = excluded.runs_late,
    pools = excluded.pools;
