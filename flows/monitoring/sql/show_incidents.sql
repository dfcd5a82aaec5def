-- Incidents: those of the ids, or else the open ones, and those that were resolved since a time.
select
    i.id, i.cause_kind, i.cause_name, i.severity, i.owner, i.opened_at, i.resolved_at, i.merged_into,
    i.acknowledged_at, i.acknowledged_by, i.assigned_to, i.snoozed_until, i.affected, i.openings, i.reopened_at,
    i.flapping_since,
    coalesce(
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'kind', u.kind, 'name', u.name, 'is_failing', u.is_failing, 'problems', u.problems
                    )
                    order by not u.is_failing, u.kind, u.name
                )
            from ops.incident_units as u
            where u.incident_id = i.id
        ),
        '[]'
    ) as units,
    coalesce(
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'at', e.at, 'kind', e.kind, 'actor', e.actor, 'severity', e.severity, 'units', e.units,
                        'text', e.text
                    )
                    order by e.id
                )
            from ops.incident_events as e
            where e.incident_id = i.id and cast(:ids as uuid []) is not null
        ),
        '[]'
    ) as events
from ops.incidents as i
where
    case
        when cast(:ids as uuid []) is not null then i.id = any(cast(:ids as uuid []))
        else i.resolved_at is null or i.resolved_at >= cast(:since as timestamptz)
    end
order by i.resolved_at is not null, i.severity, i.opened_at, i.id
