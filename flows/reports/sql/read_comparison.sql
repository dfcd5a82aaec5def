-- What a run sent, what was different at the last comparison, and the state of its relations before the next one.
select
    c.compared_at,
    c.changes,
    c.complete_through,
    now() as started_at,
    f.fingerprint,
    f.changed_at,
    (
        select jsonb_agg(to_jsonb(v) order by array_position(array['tile', 'chart', 'table'], v.part), v.position)
        from ops.report_values as v
        where v.run_id = c.run_id
    ) as parts
from ops.report_comparisons as c
inner join ops.report_runs as r on c.run_id = r.id
left join lateral (
    select fingerprint, changed_at
    from ops.report_fingerprints
    where report = r.report
) as f on true
where c.run_id = :run_id
