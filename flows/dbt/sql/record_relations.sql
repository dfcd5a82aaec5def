-- Replace the relations of a project; those of other databases are left out.
with found as (
    select distinct on (schema_name, relation_name) r.*
    from json_to_recordset(cast(:relations as json)) as r (
        database_name text,
        schema_name text,
        relation_name text,
        event_time_column text,
        inputs jsonb
    )
    where coalesce(nullif(r.database_name, ''), current_database()) = current_database()
    order by schema_name, relation_name, event_time_column
),

removed as (
    delete from ops.dbt_relations as d
    where
        d.project = :project
        and not exists (
            select from found as f where f.schema_name = d.schema_name and f.relation_name = d.relation_name
        )
)

insert into ops.dbt_relations as d (project, schema_name, relation_name, event_time_column, inputs)
select :project, schema_name, relation_name, event_time_column, inputs
from found
on conflict (project, schema_name, relation_name) do update set
    event_time_column = excluded.event_time_column,
    inputs = excluded.inputs
where (d.event_time_column, d.inputs) is distinct from (excluded.event_time_column, excluded.inputs)
