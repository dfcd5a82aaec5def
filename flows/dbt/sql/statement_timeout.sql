-- The statement_timeout of the sessions of this role, where it is set, and the statement that sets it there.
select
    current_setting(name) as value,
    setting = '0' as is_unlimited,
    source,
    case source
        when 'database user' then format('ALTER ROLE %I IN DATABASE %I', session_user, current_database())
        when 'user' then format('ALTER ROLE %I', session_user)
        when 'database' then format('ALTER DATABASE %I', current_database())
        when 'global' then 'ALTER ROLE ALL'
        else 'ALTER SYSTEM'
    end || ' SET statement_timeout' as change
from pg_catalog.pg_settings
where name = 'statement_timeout'
