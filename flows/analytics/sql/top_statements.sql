-- The last snapshot, most time first.
select
    s.rank,
    round(s.total_seconds::numeric, 3)::double precision as seconds,
    s.calls,
    round(s.mean_milliseconds::numeric, 1)::double precision as mean_ms,
    s.rows,
    s.role_name as role,
    left(regexp_replace(t.query, '\s+', ' ', 'g'), 300) as statement
from ops.query_statistics as s
inner join ops.query_texts as t on s.query_id = t.query_id
where s.taken_at = (select max(taken_at) from ops.query_statistics)
order by s.rank
limit :top;
