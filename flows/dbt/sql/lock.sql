-- Held by the session until it ends; the name tells others who holds it.
select
    set_config('application_name', :holder, false),
    pg_try_advisory_lock(hashtext('analytics-worker'), hashtext('dbt')) as held
