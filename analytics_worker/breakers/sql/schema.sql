create table if not exists breaker (
    name text primary key,
    state text not null,
    generation integer not null,
    failures integer not null,
    probe_successes integer not null,
    opened_at real,
    waiting_since real not null,
    reset_timeout real not null,
    probe text,
    probe_since real not null,
    probe_lease real not null,
    last_error text,
    last_failure_at real,
    failures_total integer not null,
    successes_total integer not null,
    rejections_total integer not null,
    trips_total integer not null
) without rowid;

create table if not exists last_check (
    id integer primary key check (id = 1),
    checked_at real not null
);
