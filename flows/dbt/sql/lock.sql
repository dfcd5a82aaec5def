-- The session holds the lock until it ends; its application name identifies the holder. It is idle
-- while dbt runs, however long that takes.
select
    set_config('application_name', :holder, false),
    (
        select set_config(name, '0', false)
        from pg_catalog.pg_settings
        where name = 'idle_session_timeout'
    ),
    ops.take_session_lock('dbt') as held
