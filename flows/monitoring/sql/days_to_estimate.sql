-- The days that began and whose earlier days were not looked at.
select name, day
from ops.promise_days
where not is_estimated and due_at > cast(:now as timestamptz) - interval '5 days'
