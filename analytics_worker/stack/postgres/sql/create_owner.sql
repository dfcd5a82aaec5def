alter role postgres password :superuser_password;

create role analytics login createrole password :owner_password;

grant set on parameter temp_file_limit, log_min_messages to analytics;

-- Run in template1, of which the database becomes a copy. No view or function that the reader may use
-- reaches these (docs/user-sql.md).
revoke execute on function
    pg_terminate_backend(integer, bigint), pg_cancel_backend(integer),
    pg_advisory_lock(bigint), pg_advisory_lock(integer, integer),
    pg_advisory_xact_lock(bigint), pg_advisory_xact_lock(integer, integer),
    pg_try_advisory_lock(bigint), pg_try_advisory_lock(integer, integer),
    pg_try_advisory_xact_lock(bigint), pg_try_advisory_xact_lock(integer, integer),
    pg_advisory_lock_shared(bigint), pg_advisory_lock_shared(integer, integer),
    pg_advisory_xact_lock_shared(bigint), pg_advisory_xact_lock_shared(integer, integer),
    pg_try_advisory_lock_shared(bigint), pg_try_advisory_lock_shared(integer, integer),
    pg_try_advisory_xact_lock_shared(bigint), pg_try_advisory_xact_lock_shared(integer, integer),
    lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea),
    pg_catalog.normalize(text, text), is_normalized(text, text)
from public;

grant execute on function
    pg_terminate_backend(integer, bigint), pg_cancel_backend(integer),
    pg_advisory_lock(bigint), pg_advisory_lock(integer, integer),
    pg_advisory_xact_lock(bigint), pg_advisory_xact_lock(integer, integer),
    pg_try_advisory_lock(bigint), pg_try_advisory_lock(integer, integer),
    pg_try_advisory_xact_lock(bigint), pg_try_advisory_xact_lock(integer, integer),
    pg_advisory_lock_shared(bigint), pg_advisory_lock_shared(integer, integer),
    pg_advisory_xact_lock_shared(bigint), pg_advisory_xact_lock_shared(integer, integer),
    pg_try_advisory_lock_shared(bigint), pg_try_advisory_lock_shared(integer, integer),
    pg_try_advisory_xact_lock_shared(bigint), pg_try_advisory_xact_lock_shared(integer, integer),
    lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea),
    pg_catalog.normalize(text, text), is_normalized(text, text)
to analytics;

create database analytics owner analytics;

revoke temporary on database analytics from public;
