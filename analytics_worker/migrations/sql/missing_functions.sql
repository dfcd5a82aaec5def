-- Statements that let the current user call what the worker needs and PUBLIC often may not, one for each function.
select format('GRANT EXECUTE ON FUNCTION %s TO %I;', oid::regprocedure, current_user) as statement
from pg_proc
where
    (
        proname = :named
        or pronamespace = 'pg_catalog'::regnamespace
        and proname ~ '^pg_(try_)?advisory_|^pg_(cancel|terminate)_backend$'
    )
    and not has_function_privilege(oid, 'execute')
order by statement
