-- The units whose stored reads lack data before the end of their period, and since when: ten or more rows by the
-- arrival pattern of the source that limits a relation. A source with a pattern that was not measured yet since the
-- period ended counts as one that lacks rows, for as long as its measurement may take. What many units read is
-- looked at once.
with found as (
    select
        unit.id,
        unit.period_end,
        c.complete_through,
        c.limited_by
    from jsonb_to_recordset(cast(:units as jsonb)) as unit (id bigint, name text, period_end timestamptz)
    inner join ops.unit_reads as u on u.kind = :kind and md5(unit.name) = md5(u.name) and unit.name = u.name
    cross join lateral jsonb_array_elements(u.relations) as r (pair)
    inner join ops.completeness as c on r.pair ->> 0 = c.schema_name and r.pair ->> 1 = c.relation_name
    where c.basis in ('declared column', 'lineage') and c.complete_through < unit.period_end
),

lacking as (
    select f.period_end, f.complete_through, f.limited_by
    from (select distinct period_end, complete_through, limited_by from found) as f
    inner join ops.event_time_measurements as m on f.limited_by = m.schema_name || '.' || m.relation_name
    where
        case
            when m.measured_at >= f.period_end
                then ops.missing_rows(f.limited_by, f.complete_through, f.period_end) >= 10
            else m.missing is not null and f.period_end > cast(:now as timestamptz) - cast(:measured_within as interval)
        end
)

select
    f.id,
    min(f.complete_through) as since
from found as f
inner join lacking as l
    on f.period_end = l.period_end and f.complete_through = l.complete_through and f.limited_by = l.limited_by
group by f.id
