-- On how many of the promised days of this month each promise was kept.
select a.promise, a.attainment
from ops.promise_attainment as a
inner join ops.promises as p on a.promise = p.name
where a.month = date_trunc('month', now())::date
