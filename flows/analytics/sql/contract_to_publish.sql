-- The contract that the new content of a view must keep before readers see it.
select definition
from ops.contracts
where schema_name = :schema_name and relation_name = :view_name and definition ->> 'publish' = 'checked'
