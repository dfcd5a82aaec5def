-- Upsert one row per day and flow or task; delete rows that are too old.
with expired as (
    delete from ops.task_statistics
    where day < current_date - :days
    returning 1
)
insert into ops.task_statistics (
    day, kind, name, window_start, window_end, runs, states, retries, success_rate, duration_p50,
    duration_p95, duration_max, wait_p50, wait_p95, wait_max, runs_before, success_rate_before,
    duration_p95_before
)
select
    cast(cast(:window_end as timestamptz) at time zone 'UTC' as date),
    r.kind,
    r.name,
    :window_start,
    :window_end,
    r.runs,
    r.states,
    r.retries,
    r.success_rate,
    cast(r.duration ->> 'p50' as double precision),
    cast(r.duration ->> 'p95' as double precision),
    cast(r.duration ->> 'max' as double precision),
    cast(r.wait ->> 'p50' as double precision),
    cast(r.wait ->> 'p95' as double precision),
    cast(r.wait ->> 'max' as double precision),
    r.runs_before,
    r.success_rate_before,
    r.duration_p95_before
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    kind text, name text, runs integer, states jsonb, retries integer,
    success_rate double precision, duration jsonb, wait jsonb, runs_before integer,
    success_rate_before double precision, duration_p95_before double precision
)
on conflict (day, kind, name) do update set
    window_start = excluded.window_start,
    window_end = excluded.window_end,
    runs = excluded.runs,
    states = excluded.states,
    retries = excluded.retries,
    success_rate = excluded.success_rate,
    duration_p50 = excluded.duration_p50,
    duration_p95 = excluded.duration_p95,
    duration_max = excluded.duration_max,
    wait_p50 = excluded.wait_p50,
    wait_p95 = excluded.wait_p95,
    wait_max = excluded.wait_max,
    runs_before = excluded.runs_before,
    success_rate_before = excluded.success_rate_before,
    duration_p95_before = excluded.duration_p95_before,
    updated_at = now();
