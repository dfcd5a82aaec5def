with removed as (
    delete from ops.dbt_states
    where folder = any(cast(:removed as text []))
)

insert into ops.dbt_states (flow_run_id, project, command, target, host, folder, files)
values (
    cast(:flow_run_id as uuid), :project, :command, :target, :host, :folder, cast(:files as text [])
)
