select
    run.mail,
    run.files,
    run.storage,
    run.definition -> 'recipients' as recipients,
    coalesce(run.finished_at, run.created_at) as made_at,
    array(
        select delivery.recipient
        from ops.report_deliveries as delivery
        where delivery.run_id = run.id and delivery.role = 'to'
        order by delivery.recipient
    ) as addressed,
    array(
        select delivery.recipient
        from ops.report_deliveries as delivery
        where delivery.run_id = run.id and delivery.role = 'cc'
        order by delivery.recipient
    ) as copied
from ops.report_runs as run
where run.id = :run_id
