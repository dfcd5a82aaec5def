-- Count sessions and their limit; measure the lag of the slowest standby of this server.
select
    current_setting('server_version') as version,
    cast(current_setting('max_connections') as integer)
    - cast(current_setting('superuser_reserved_connections') as integer) as connections_max,
    (
        select count(*) from pg_stat_activity as a where a.backend_type = 'client backend'
    ) as connections_used,
    (select extract(epoch from max(r.replay_lag)) from pg_stat_replication as r) as lag_seconds;
