-- Anybody may take an advisory lock whose key they know, and pg_locks shows the keys in use. So what
-- a transaction holds is a row of this table, which only the worker can lock; what a session holds is
-- an advisory lock with a key that is new each time, and only a holder of the worker's role counts.
create table ops.locks (
    name text primary key,
    key bigint not null default 0
);
comment on table ops.locks is 'What one process at a time may do';
comment on column ops.locks.key is 'Advisory lock of the session that holds it, or held it last';
insert into ops.locks (name) values ('dbt'), ('deployment health');

create function ops.random_key() returns bigint
language sql volatile
as $$ select ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint $$;

create function ops.lock_holders(class_id bigint, object_id bigint, keys smallint)
returns table (pid integer, application_name text, since timestamptz)
language sql stable
as $$
    select activity.pid, activity.application_name, activity.state_change
    from pg_catalog.pg_locks as held
    inner join pg_catalog.pg_stat_activity as activity using (pid)
    where
        held.locktype = 'advisory'
        and held.granted
        and held.database = (select oid from pg_catalog.pg_database where datname = current_database())
        and held.classid = cast(class_id & 4294967295 as oid)
        and held.objid = cast(object_id & 4294967295 as oid)
        and held.objsubid = keys
        and activity.usesysid = (select oid from pg_catalog.pg_roles where rolname = current_user)
$$;
comment on function ops.lock_holders is 'Sessions of the worker''s role that hold an advisory lock of one or two keys';

create function ops.key_holders(key bigint)
returns table (pid integer, application_name text, since timestamptz)
language sql stable
as $$ select * from ops.lock_holders(key >> 32, key, 1::smallint) $$;

create function ops.take_session_lock(lock_name text) returns boolean
language plpgsql volatile
as $$
declare
    taken bigint;
begin
    insert into ops.locks (name) values (lock_name) on conflict do nothing;
    select key into taken from ops.locks where name = lock_name for update skip locked;
    if not found or exists (select from ops.key_holders(taken)) then
        return false;
    end if;
    update ops.locks set key = ops.random_key() where name = lock_name returning key into taken;
    return pg_try_advisory_lock(taken);
end
$$;
comment on function ops.take_session_lock is 'Whether this session holds the lock from now on, until it ends';

alter table ops.refresh_log add column lock_key bigint not null default ops.random_key();
comment on column ops.refresh_log.lock_key is 'Advisory lock of the transaction that refreshes';

create or replace function ops.report_worker_lives(owner text) returns boolean
language sql stable
as $$
    select exists (select from ops.lock_holders(hashtext('ops.report_runs'), hashtext(owner), 2::smallint))
$$;
