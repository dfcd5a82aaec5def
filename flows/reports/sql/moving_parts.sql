-- Parts whose numbers change again and again after they are sent, such as those of a month that is not over.
select v.part, v.title
from ops.report_values as v
inner join ops.report_runs as r on v.run_id = r.id
where r.report = :report
group by v.part, v.title
having max(v.moved) > :max_moves and sum(v.moved) * 4 > sum(v.held)
