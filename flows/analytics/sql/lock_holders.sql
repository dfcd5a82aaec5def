-- Who holds a lock on the relation, longest transaction first.
select
    a.pid,
    coalesce(nullif(a.application_name, ''), a.backend_type) as application,
    coalesce(a.state, 'hidden') as state,
    round(extract(epoch from clock_timestamp() - a.xact_start)) as seconds
from pg_locks as l
inner join pg_stat_activity as a on l.pid = a.pid
where l.relation = cast(:oid as oid) and l.granted and a.pid <> pg_backend_pid()
group by a.pid, a.application_name, a.backend_type, a.state, a.xact_start
order by a.xact_start
limit 3;
