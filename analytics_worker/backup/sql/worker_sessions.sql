select application_name
from pg_stat_activity
where
    datname = current_database()
    and usename = current_user
    and pid <> pg_backend_pid()
    and (
        application_name ~ '^[a-z0-9-]+:[0-9a-f-]{36}$'
        or application_name in ('analytics-worker', 'dbt')
    )
order by application_name;
