select
    name,
    cast(definition as text) as definition,
    coalesce(done_until, created_at) as since
from ops.report_definitions
where retired_at is null and enabled and schedule = :schedule
order by name
