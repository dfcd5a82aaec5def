-- How long dbt's runs usually take: the median of the last 20 successful ones of each command.
select command, percentile_cont(0.5) within group (order by seconds) as seconds
from (
    select command, seconds, row_number() over (partition by command order by started_at desc) as age
    from ops.dbt_runs
    where command in ('dbt run', 'dbt build') and status = 'success' and seconds is not null
) as runs
where age <= 20
group by command
