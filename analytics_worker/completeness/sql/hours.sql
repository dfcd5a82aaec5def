select hour, rows
from ops.event_hours
where schema_name = :schema_name and relation_name = :relation_name
