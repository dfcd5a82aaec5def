-- The session holds the lock until it ends; its application name identifies the holder.
select
    set_config('application_name', :holder, false),
    ops.take_session_lock('dbt') as held
