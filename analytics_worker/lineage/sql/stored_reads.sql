-- What each rule, report, dbt test and dbt model reads.
select u.kind, u.name, '' as schema_name, '' as relation_name, u.relations as reads
from ops.unit_reads as u
union all
select 'relation', '', d.schema_name, d.relation_name, d.inputs
from ops.dbt_relations as d
