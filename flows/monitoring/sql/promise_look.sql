-- The last look at the promises, and a hash of the reports that have one now.
select l.fingerprint, l.looked_at, l.next_at, coalesce(r.hash, '') as reports
from (
    select md5(string_agg(concat_ws(' ', d.name, d.created_at, d.definition), ' ' order by d.name)) as hash
    from ops.report_definitions as d
    where d.enabled and d.retired_at is null and d.definition -> 'promise' is not null
) as r
left join ops.looks as l on l.name = 'promises'
