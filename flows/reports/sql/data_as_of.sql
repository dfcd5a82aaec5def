-- Return when the least recently refreshed of these materialized views was up to date; null if none of
-- them has a history. On a read replica, a refresh counts once it has replayed it.
select min(fresh_at) as at
from (
    select max(started_at) as fresh_at
    from ops.refresh_log
    where
        status in ('success', 'unchanged')
        and schema_name || '.' || view_name = any(cast(:relations as text []))
        and (cast(:replayed_until as timestamptz) is null or finished_at <= :replayed_until)
    group by schema_name, view_name
) as views
