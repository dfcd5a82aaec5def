select count(pg_terminate_backend(pid)) as terminated
from pg_catalog.pg_stat_activity
where application_name = :application_name and pid <> pg_backend_pid()
