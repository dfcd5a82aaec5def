-- Return the reports that are due at times of their own: by cron, at times of day, or at the hour of their schedule
-- in a time zone other than UTC.
select
    name,
    cast(definition as text) as definition,
    coalesce(done_until, created_at) as since,
    coalesce(due_until, created_at) as due_since
from ops.report_definitions
where
    retired_at is null
    and enabled
    and (
        schedule = 'custom'
        or (schedule <> 'manual' and coalesce(definition ->> 'timezone', 'UTC') <> 'UTC')
    )
order by name
