-- Relations that vanished long ago, with their columns.
with expired as materialized (
    select schema_name, relation_name from ops.catalog_relations
    where status = 'missing' and missing_since < now() - make_interval(days => :days)
    order by missing_since
    limit :batch
),
columns as (
    delete from ops.catalog_columns as c
    using expired as e
    where c.schema_name = e.schema_name and c.relation_name = e.relation_name and not :preview
    returning 1
),
deleted as (
    delete from ops.catalog_relations as r
    using expired as e
    where r.schema_name = e.schema_name and r.relation_name = e.relation_name and not :preview
    returning 1
)
select count(*) as expired from expired;
