-- Reports of the files whose last run failed, also while it is tried again.
select
    'report' as kind,
    d.name,
    'critical' as severity,
    min(r.finished_at) as since,
    (array_agg(r.error order by r.id desc))[1] as message,
    d.definition ->> 'owner' as owner,
    (array_agg(r.flow_run_id order by r.id desc))[1] as run_id,
    'report ' || d.name as label
from ops.report_runs as r
inner join ops.report_definitions as d on r.report = d.name
where
    r.error is not null
    and r.finished_at is not null
    and r.kind = 'scheduled'
    and d.enabled
    and d.retired_at is null
    and not exists (
        select from ops.report_runs as later
        where
            later.report = r.report
            and later.key = r.key
            and later.kind = 'scheduled'
            and later.id > r.id
            and later.finished_at is not null
    )
group by d.name, d.definition ->> 'owner'
