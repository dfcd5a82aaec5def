-- The units that fail in the open incidents, with the highest severity of their problems.
select
    i.id,
    i.cause_kind,
    i.cause_name,
    i.opened_at,
    u.kind,
    u.name,
    coalesce(
        (select min(p ->> 'severity') from jsonb_array_elements(u.problems) as p), -- critical comes first
        i.severity
    ) as severity
from ops.incidents as i
inner join ops.incident_units as u on i.id = u.incident_id and u.is_failing
where i.resolved_at is null
order by i.opened_at, i.id, u.kind, u.name
