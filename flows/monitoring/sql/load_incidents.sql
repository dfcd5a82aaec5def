-- The open incidents with their units; those that ended lately, or whose end is not notified yet, too.
select
    i.id, i.cause_kind, i.cause_name, i.severity, i.severity_since, i.owner, i.opened_at, i.affected,
    i.acknowledged_at, i.assigned_to, i.snoozed_until, i.told_severity, i.told_at, i.threads,
    i.resolved_at, i.openings, i.reopened_at, i.flapping_since,
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
where
    i.resolved_at is null
    or (
        i.merged_into is null
        and (i.flapping_since is not null or i.resolved_at > cast(:ended_since as timestamptz))
    )
order by i.opened_at, i.id
