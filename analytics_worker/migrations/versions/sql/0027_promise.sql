-- Names may be long, so that indexes have their MD5.
create table ops.promises (
    name text not null,
    kind text not null check (kind in ('relation', 'report')),
    schema_name text not null default '',
    relation_name text not null default '',
    report text not null default '',
    definition jsonb not null,
    timezone text not null,
    owner text,
    since timestamptz not null,
    state text not null default 'waiting' check (state in ('waiting', 'at risk', 'broken', 'kept', 'late')),
    state_since timestamptz,
    day date,
    due_at timestamptz,
    expected_at timestamptz,
    message text not null default ''
);
create unique index promises_name on ops.promises (md5(name));
comment on table ops.promises is 'Promises of reports and relations, and how they stand';
comment on column ops.promises.name is 'The relation, or "report" and the name of the report';
comment on column ops.promises.kind is 'relation or report';
comment on column ops.promises.schema_name is 'Schema of the relation; empty for a report';
comment on column ops.promises.relation_name is 'Name of the relation; empty for a report';
comment on column ops.promises.report is 'Name of the report; empty for a relation';
comment on column ops.promises.definition is 'The promise as validated: by, weekdays, timezone';
comment on column ops.promises.timezone is 'Time zone of the time and the days';
comment on column ops.promises.owner is 'Owner of the report';
comment on column ops.promises.since is 'Since when it has this definition: only later times count';
comment on column ops.promises.state is
'Of the last day that began: waiting, at risk (expected too late), broken (due and not there), kept, or late (there, after it was due)';
comment on column ops.promises.state_since is 'Since when it is at risk or broken';
comment on column ops.promises.day is 'The day of the state, in its time zone';
comment on column ops.promises.due_at is 'When it is due on that day';
comment on column ops.promises.expected_at is 'When it is expected, from the earlier days; null if these are too few';
comment on column ops.promises.message is 'Why it is at risk or broken, and what it waits for';

create table ops.promise_days (
    name text not null,
    day date not null,
    due_at timestamptz not null,
    opens_at timestamptz not null,
    target timestamptz not null,
    arrived_at timestamptz,
    is_estimated boolean not null default false,
    usual_offset interval,
    usual_spread interval,
    usual_after_dbt interval
);
create unique index promise_days_day on ops.promise_days (md5(name), day);
create index promise_days_due_at on ops.promise_days (due_at);
comment on table ops.promise_days is 'The promised days and when each arrived; kept for 400 days, also after a promise was removed';
comment on column ops.promise_days.name is 'Name of the promise';
comment on column ops.promise_days.day is 'The day, in the time zone of the promise';
comment on column ops.promise_days.due_at is 'When it was due';
comment on column ops.promise_days.opens_at is 'From when it could arrive: the start of the day, or when the report was due';
comment on column ops.promise_days.target is 'Through which instant the relation has to be complete, or the end of the period of the report';
comment on column ops.promise_days.arrived_at is 'When it was there; null if it was not';
comment on column ops.promise_days.is_estimated is 'Whether the earlier days were looked at';
comment on column ops.promise_days.usual_offset is 'Usual time since midnight at which it was there on such days; null if these are too few';
comment on column ops.promise_days.usual_spread is 'How much that varies';
comment on column ops.promise_days.usual_after_dbt is 'Usual time from the end of the last dbt run until it is there';

create view ops.promise_attainment as
select
    name as promise,
    date_trunc('month', day)::date as month,
    count(*) filter (where arrived_at <= due_at) as kept,
    count(*) as promised,
    round(count(*) filter (where arrived_at <= due_at) / count(*)::numeric, 4) as attainment
from ops.promise_days
where arrived_at is not null or due_at < now() - interval '10 minutes'
group by name, date_trunc('month', day);
comment on view ops.promise_attainment is
'On how many of the promised days of each month, until now, each promise was kept; the SQL of reports may read it';
comment on column ops.promise_attainment.promise is 'The relation, or "report" and the name of the report';
comment on column ops.promise_attainment.month is 'First day of the month';
comment on column ops.promise_attainment.kept is 'Days on which it was there in time';
comment on column ops.promise_attainment.promised is 'Promised days that are decided';
comment on column ops.promise_attainment.attainment is 'Share of the days on which it was kept, from 0 to 1';

insert into ops.locks (name) values ('promises');

alter table ops.event_time_measurements add column missing jsonb;
comment on column ops.event_time_measurements.missing is
'Hours after complete_through that are over, with at least how many rows each lacks by the arrival pattern; null during the warm-up';

create function ops.missing_rows(source text, since timestamptz, until timestamptz) returns double precision
language sql stable
as $$
    select
        (
            select coalesce(sum(h.rows * greatest(0, extract(epoch from
                least(h.hour + interval '1 hour', until, m.complete_through) - greatest(h.hour, since)) / 3600)), 0)
            from ops.event_hours as h
            where
                h.schema_name = m.schema_name and h.relation_name = m.relation_name
                and h.hour > since - interval '1 hour' and h.hour < least(until, m.complete_through)
        ) + (
            select coalesce(sum(h.rows * greatest(0, extract(epoch from
                least(h.hour + interval '1 hour', until) - greatest(h.hour, since)) / 3600)), 0)
            from jsonb_to_recordset(m.missing) as h (hour timestamptz, rows bigint)
            where h.hour > since - interval '1 hour' and h.hour < until
        )
    from ops.event_time_measurements as m
    where
        m.schema_name || '.' || m.relation_name = source
        and m.missing is not null
        and m.measured_at >= until
$$;
comment on function ops.missing_rows is
'At least how many rows of a source, between two instants, are not in what is complete through the first; null if there is no evidence';

-- The reader may use the schema, for the view above; its functions are the worker's.
revoke execute on all functions in schema ops from public;

comment on column ops.incidents.cause_kind is 'relation, dbt, rule, report, promise or deployment';
comment on column ops.incident_units.kind is 'relation, dbt, rule, report, promise or deployment';
