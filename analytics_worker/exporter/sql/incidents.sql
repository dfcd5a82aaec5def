-- Open incidents by severity.
select severity, count(*) as number
from ops.incidents
where resolved_at is null
group by severity
