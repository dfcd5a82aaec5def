-- Return since when data is missing before the end of a period, in what these relations hold: ten or more rows by
-- the arrival pattern of the source that limits them.
select min(c.complete_through) as since
from ops.completeness as c
where
    c.schema_name || '.' || c.relation_name = any(cast(:relations as text []))
    and c.basis in ('declared column', 'lineage')
    and c.complete_through < :period_end
    and ops.missing_rows(c.limited_by, c.complete_through, :period_end) >= 10
