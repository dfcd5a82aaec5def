select
    held.application_name as holder,
    to_char(held.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since
from ops.locks as locks
cross join lateral ops.key_holders(locks.key) as held
where locks.name = 'dbt'
