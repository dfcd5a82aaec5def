-- Delete the measurements of columns that are declared no longer.
with declared as (
    select d.schema_name, d.relation_name
    from json_to_recordset(cast(:declared as json)) as d (schema_name text, relation_name text)
),

hours as (
    delete from ops.event_hours as h
    where not exists (
        select from declared as d where d.schema_name = h.schema_name and d.relation_name = h.relation_name
    )
),

history as (
    delete from ops.completeness_history as h
    using ops.event_time_measurements as m
    where
        h.schema_name = m.schema_name and h.relation_name = m.relation_name
        and not exists (
            select from declared as d where d.schema_name = m.schema_name and d.relation_name = m.relation_name
        )
)

delete from ops.event_time_measurements as m
where not exists (
    select from declared as d where d.schema_name = m.schema_name and d.relation_name = m.relation_name
)
