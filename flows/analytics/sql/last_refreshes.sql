-- The last successful refresh of each view that still is the same object.
select distinct on (view_oid)
    view_oid::bigint as oid,
    started_at,
    finished_at,
    now() - started_at > make_interval(secs => :max_age_seconds) as is_too_old,
    fingerprint
from ops.refresh_log
where view_oid = any(cast(:views as oid[])) and status = 'success'
order by view_oid, id desc;
