select
    name,
    cast(definition as text) as definition
from ops.report_definitions
where retired_at is null
order by name
