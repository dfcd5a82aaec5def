-- The reports with a promise, as they are stored.
select name, definition::text as definition, created_at
from ops.report_definitions
where enabled and retired_at is null and definition -> 'promise' is not null
order by name
