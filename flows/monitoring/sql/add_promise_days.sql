-- Add the days that began. A new definition applies to a day until it is due.
insert into ops.promise_days as p (name, day, due_at, opens_at, target)
select name, day, due_at, opens_at, target
from json_to_recordset(cast(:days as json)) as d (
    name text, day date, due_at timestamptz, opens_at timestamptz, target timestamptz
)
on conflict (md5(name), day) do update set
    due_at = excluded.due_at,
    opens_at = excluded.opens_at,
    target = excluded.target
where
    p.arrived_at is null
    and p.due_at > :now
    and excluded.due_at > :now
    and (p.due_at, p.opens_at, p.target) is distinct from (excluded.due_at, excluded.opens_at, excluded.target)
