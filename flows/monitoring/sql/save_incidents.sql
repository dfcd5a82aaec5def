-- Store incidents with their units and events. What people do to them (acknowledge, assign) is not changed.
with given as (
    select r.*
    from jsonb_to_recordset(cast(:incidents as jsonb)) as r (
        id uuid, cause_kind text, cause_name text, severity text, severity_since timestamptz, owner text,
        opened_at timestamptz, resolved_at timestamptz, merged_into uuid, affected jsonb,
        snoozed_until timestamptz, told_severity text, told_at timestamptz, threads jsonb,
        openings integer, reopened_at timestamptz, flapping_since timestamptz
    )
),

saved as (
    insert into ops.incidents as i (
        id, cause_kind, cause_name, severity, severity_since, owner, opened_at, resolved_at, merged_into,
        affected, snoozed_until, told_severity, told_at, threads, openings, reopened_at, flapping_since
    )
    select
        id, cause_kind, cause_name, severity, severity_since, owner, opened_at, resolved_at, merged_into,
        affected, snoozed_until, told_severity, told_at, threads, openings, reopened_at, flapping_since
    from given
    on conflict (id) do update set
        cause_kind = excluded.cause_kind,
        cause_name = excluded.cause_name,
        severity = excluded.severity,
        severity_since = excluded.severity_since,
        owner = excluded.owner,
        resolved_at = excluded.resolved_at,
        merged_into = excluded.merged_into,
        affected = excluded.affected,
        snoozed_until = excluded.snoozed_until,
        told_severity = excluded.told_severity,
        told_at = excluded.told_at,
        threads = excluded.threads,
        openings = excluded.openings,
        reopened_at = excluded.reopened_at,
        flapping_since = excluded.flapping_since
    returning id
),

units as (
    insert into ops.incident_units as u (incident_id, kind, name, is_failing, is_told, problems)
    select r.incident_id, r.kind, r.name, r.is_failing, r.is_told, r.problems
    from jsonb_to_recordset(cast(:units as jsonb)) as r (
        incident_id uuid, kind text, name text, is_failing boolean, is_told boolean, problems jsonb
    )
    inner join saved as s on r.incident_id = s.id
    on conflict (incident_id, kind, md5(name)) do update set
        is_failing = excluded.is_failing,
        is_told = excluded.is_told,
        problems = excluded.problems
)

insert into ops.incident_events (incident_id, at, kind, severity, units, text)
select e.incident_id, e.at, e.kind, e.severity, e.units, e.text
from jsonb_to_recordset(cast(:events as jsonb)) as e (
    incident_id uuid, at timestamptz, kind text, severity text, units jsonb, text text
)
inner join saved as s on e.incident_id = s.id
