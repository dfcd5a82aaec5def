-- Runs whose readers got them, and whose relations changed since they were compared, those that were compared
-- longest ago first. A run is compared again after a 24th of its age; after an error, not before 6 hours. Of each
-- report and key, the last four are compared at any age.
with runs as (
    select
        r.id,
        r.report,
        r.finished_at,
        c.compared_at,
        c.fingerprint,
        c.error,
        row_number() over (partition by r.report, r.key order by r.period_end desc, r.id desc) as run_rank
    from ops.report_comparisons as c
    inner join ops.report_runs as r on c.run_id = r.id
    where r.kind = 'scheduled'
)

select r.id, r.report
from runs as r
inner join ops.report_fingerprints as f on r.report = f.report
inner join ops.report_definitions as d on r.report = d.name
where
    r.fingerprint is distinct from f.fingerprint
    and (r.run_rank <= 4 or r.finished_at > now() - make_interval(days => :days))
    and now() >= r.compared_at + greatest(
        (now() - r.finished_at) / 24, case when r.error is not null then interval '6 hours' end
    )
    and d.enabled
    and d.retired_at is null
    and d.definition -> 'restatement' is distinct from 'false'
    and exists (
        select
        from ops.messages as m
        inner join ops.deliveries as v on m.id = v.message_id
        where
            m.domain = 'reports'
            and m.reference = cast(r.id as text)
            and m.kind = 'report'
            and v.status in ('sent', 'digested')
    )
order by r.compared_at, r.id
