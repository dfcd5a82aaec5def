-- Update the nodes of one run. Nodes without a result keep their status; nodes that are no longer in the
-- project are deleted.
with removed as (
    delete from ops.dbt_node_health
    where project = :project and not unique_id = any(cast(:known as text []))
)

insert into ops.dbt_node_health as health (
    unique_id, database_name, schema_name, relation_name, project, target, resource_type, name, status,
    since, failures, flow_run_id, last_result_at, built_at, message, owner, warned_since
)
select
    node.unique_id,
    coalesce(node.database_name, ''),
    coalesce(node.schema_name, ''),
    coalesce(node.relation_name, ''),
    :project,
    :target,
    node.resource_type,
    node.name,
    node.status,
    case when node.status is not null then cast(:started_at as timestamptz) end,
    case when node.status = 'failing' then 1 else 0 end,
    case when node.status is not null then cast(:flow_run_id as uuid) end,
    case when node.status is not null then cast(:started_at as timestamptz) end,
    case
        when not node.is_built then null
        when :has_all_data then cast(:started_at as timestamptz)
        else '-infinity'
    end,
    node.message,
    node.owner,
    case when node.has_warning then cast(:started_at as timestamptz) end
from json_to_recordset(cast(:nodes as json)) as node (
    unique_id text,
    database_name text,
    schema_name text,
    relation_name text,
    resource_type text,
    name text,
    status text,
    is_built boolean,
    has_warning boolean,
    owner text,
    message text
)
on conflict (unique_id, database_name, schema_name, relation_name) do update set
    project = excluded.project,
    target = least(health.target, excluded.target),
    resource_type = excluded.resource_type,
    name = excluded.name,
    status = coalesce(excluded.status, health.status),
    since = case
        when excluded.status is null or excluded.status = health.status then health.since
        else excluded.since
    end,
    failures = case
        when excluded.status is null then health.failures
        when excluded.status = 'failing' then health.failures + 1
        else 0
    end,
    flow_run_id = case
        when excluded.status is null then health.flow_run_id else excluded.flow_run_id
    end,
    last_result_at = coalesce(excluded.last_result_at, health.last_result_at),
    built_at = coalesce(excluded.built_at, health.built_at),
    message = case when excluded.status is null then health.message else excluded.message end,
    owner = excluded.owner,
    warned_since = case
        when excluded.status is null then health.warned_since
        when excluded.warned_since is null then null
        else coalesce(health.warned_since, excluded.warned_since)
    end
