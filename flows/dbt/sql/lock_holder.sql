select
    held.application_name as holder,
    held.pid,
    coalesce(activity.client_hostname, host(activity.client_addr), 'this host') as host,
    to_char(held.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since
from ops.locks as locks
cross join lateral ops.key_holders(locks.key) as held
inner join pg_catalog.pg_stat_activity as activity on activity.pid = held.pid
where locks.name = 'dbt'
