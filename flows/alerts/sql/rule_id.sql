select id
from ops.alert_rules
where name = :rule_name and kind <> 'event' and retired_at is null
order by id
limit 1
