-- The relations that lack data before the end of a period, and since when: ten or more rows by the arrival pattern
-- of the source that limits each, as far as it was measured. A report is often due at the end of its period, minutes
-- after the last measurement.
select
    c.schema_name || '.' || c.relation_name as relation,
    c.complete_through as since
from ops.completeness as c
inner join ops.event_time_measurements as m on c.limited_by = m.schema_name || '.' || m.relation_name
where
    c.schema_name || '.' || c.relation_name = any(cast(:relations as text []))
    and c.basis in ('declared column', 'lineage')
    and c.complete_through < :period_end
    and ops.missing_rows(c.limited_by, c.complete_through, least(:period_end, m.measured_at)) >= 10
