-- Why relations are not measured, or what ends their completeness.
select c.schema_name, c.relation_name, c.reason
from ops.completeness as c
where c.reason is not null
