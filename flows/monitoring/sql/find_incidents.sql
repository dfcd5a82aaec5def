-- Incidents whose id starts with a text.
select id, resolved_at is null as is_open
from ops.incidents
where id::text like :prefix || '%'
order by opened_at desc
limit 10
