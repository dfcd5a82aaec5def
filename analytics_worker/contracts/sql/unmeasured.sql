-- Checks that could not be measured, and why.
select schema_name, relation_name, name, reason
from ops.contract_checks
where reason is not null
order by schema_name, relation_name, name
