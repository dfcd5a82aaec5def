-- The row of ops.locks is what the refresh will lock.
with lockable as (
    insert into ops.locks (name)
    values (concat('view ', quote_ident(:schema_name), '.', quote_ident(:view_name)))
    on conflict do nothing
)
insert into ops.refresh_log (
    flow_run_id, schema_name, view_name, view_oid, attempt, status, reason
)
values (
    cast(:flow_run_id as uuid), :schema_name, :view_name, cast(:oid as oid), :attempt, 'running', :reason
)
returning id;
