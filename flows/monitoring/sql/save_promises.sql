-- Store when days arrived and how the promises stand; delete the oldest days.
with arrived as (
    update ops.promise_days as d
    set arrived_at = a.arrived_at
    from json_to_recordset(cast(:arrivals as json)) as a (name text, day date, arrived_at timestamptz)
    where md5(d.name) = md5(a.name) and d.day = a.day
),

expired as (
    delete from ops.promise_days
    where due_at < cast(:now as timestamptz) - interval '400 days'
)

update ops.promises as p
set
    state = s.state,
    state_since = s.state_since,
    day = s.day,
    due_at = s.due_at,
    expected_at = s.expected_at,
    message = s.message
from json_to_recordset(cast(:states as json)) as s (
    name text,
    state text,
    state_since timestamptz,
    day date,
    due_at timestamptz,
    expected_at timestamptz,
    message text
)
where
    p.name = s.name
    and (p.state, p.state_since, p.day, p.due_at, p.expected_at, p.message)
        is distinct from (s.state, s.state_since, s.day, s.due_at, s.expected_at, s.message)
