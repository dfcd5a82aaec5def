-- Rules of the files that can't be evaluated. Those of events notify their owners themselves.
select
    'rule' as kind,
    a.name,
    'critical' as severity,
    a.error_since as since,
    coalesce(a.error, '') as message,
    a.definition ->> 'owner' as owner,
    (
        select e.flow_run_id from ops.alert_evaluations as e where e.rule_id = a.id order by e.slot desc limit 1
    ) as run_id,
    'rule ' || a.name as label,
    a.muted_by is not null
    or coalesce((a.definition ->> 'muted')::boolean, false)
    or exists (
        select from ops.alert_silences as s
        where
            s.until > now()
            and s.severity is null
            and s.keys = '{}'
            and (s.rule is null or s.rule = a.name)
            and (s.owner is null or s.owner = a.definition ->> 'owner')
    ) as is_silenced
from ops.alert_rules as a
where
    a.error_since is not null
    and a.kind <> 'event'
    and a.enabled
    and a.retired_at is null
