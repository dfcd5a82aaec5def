insert into ops.refresh_log (
    flow_run_id, schema_name, view_name, view_oid, status, reason, finished_at
)
values (
    cast(:flow_run_id as uuid), :schema_name, :view_name, cast(:oid as oid), :status, :reason, now()
);
