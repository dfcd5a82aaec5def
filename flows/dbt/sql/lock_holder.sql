select
    activity.application_name as holder,
    to_char(activity.state_change at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since
from pg_catalog.pg_locks as locks
inner join pg_catalog.pg_stat_activity as activity using (pid)
where
    locks.locktype = 'advisory'
    and locks.granted
    and locks.objsubid = 2
    and locks.database = (
        select databases.oid
        from pg_catalog.pg_database as databases
        where databases.datname = current_database()
    )
    and locks.classid::bigint = hashtext('analytics-worker')::bigint & 4294967295
    and locks.objid::bigint = hashtext('dbt')::bigint & 4294967295
