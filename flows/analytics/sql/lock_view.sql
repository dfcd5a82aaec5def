-- One refresh of a view at a time, over all processes; released at the end of the transaction.
select pg_try_advisory_xact_lock(:lock_space, cast(cast(:oid as bigint) as bit(32))::integer) as locked;
