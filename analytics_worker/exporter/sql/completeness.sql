-- Through which instant materialized views and relations with a declared column are complete.
select
    c.schema_name || '.' || c.relation_name as relation,
    extract(epoch from c.complete_through) as complete_through
from ops.completeness as c
inner join ops.catalog_relations as k
    on c.schema_name = k.schema_name and c.relation_name = k.relation_name
where
    c.complete_through is not null
    and (c.basis = 'declared column' or (c.basis = 'lineage' and k.kind = 'materialized view'))
