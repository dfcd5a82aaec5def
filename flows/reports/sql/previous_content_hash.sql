select content_hash
from ops.report_runs
where
    report = :report
    and key = :key
    and id <> :id
    and kind <> 'preliminary'
    and content_hash is not null
order by period_end desc, id desc
limit 1
