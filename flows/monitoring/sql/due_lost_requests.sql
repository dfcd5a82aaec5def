-- Return the lost runs whose requests are due to run again, or were run as often as allowed. Delete old rows.
with expired as (
    delete from ops.lost_requests
    where ended_at < now() - make_interval(days => :days)
)

select run_id, request_id, deployment, requested_at, state, message, reruns
from ops.lost_requests
where status = 'waiting' and (due_at <= :now or reruns >= :max_reruns)
order by due_at
limit :batch_size;
