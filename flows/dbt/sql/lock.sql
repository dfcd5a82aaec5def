-- Held by the session until it ends; the name tells others who holds it.
select
    set_config('application_name', :holder, false),
    ops.take_session_lock('dbt') as held
