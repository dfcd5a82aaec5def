-- The rules that are evaluated, those of events included.
select
    name,
    cast(definition as text) as definition
from ops.alert_rules
where retired_at is null and definition is not null
order by name
