-- One refresh of a view at a time, over all processes; released at the end of the transaction. The
-- key shows other processes that this attempt is alive; it was secret before.
with attempt as (
    select
        r.lock_key,
        concat('view ', quote_ident(r.schema_name), '.', quote_ident(r.view_name)) as lock_name
    from ops.refresh_log as r
    where r.id = :id
),
locked as (
    select from ops.locks as l
    where l.name = (select a.lock_name from attempt as a)
    for update of l skip locked
)
select exists (select from locked) as locked, pg_advisory_xact_lock(attempt.lock_key)
from attempt;
