-- The open incidents with their units.
select
    i.id, i.cause_kind, i.cause_name, i.severity, i.severity_since, i.owner, i.opened_at, i.affected,
    i.acknowledged_at, i.assigned_to, i.snoozed_until, i.told_severity, i.told_at, i.threads,
    coalesce(
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'kind', u.kind,
                        'name', u.name,
                        'is_failing', u.is_failing,
                        'is_told', u.is_told,
                        'problems', u.problems
                    )
                )
            from ops.incident_units as u
            where u.incident_id = i.id
        ),
        '[]'
    ) as units
from ops.incidents as i
where i.resolved_at is null
order by i.opened_at, i.id
