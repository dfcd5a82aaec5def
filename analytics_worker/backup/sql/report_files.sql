-- Of any revision: columns that an older one lacks are null.
select distinct file ->> 'name' as name
from ops.report_runs as run
cross join lateral jsonb_array_elements(run.files) as file
where coalesce(to_jsonb(run) ->> 'storage', '') = '' and file ->> 'name' is not null
order by name;
