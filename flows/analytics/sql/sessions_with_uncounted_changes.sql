-- Sessions that may have committed changes which the statistics do not show yet. A session counts
-- its changes when it goes idle, at most once a second, and ten seconds after at the latest; one
-- that is in a transaction may still hold back the counts of the one before. What a transaction
-- that began before the last refresh holds back was visible to that refresh.
select
    pid,
    state is null as is_hidden,
    clock_timestamp() as checked_at
from pg_stat_activity
where datname = current_database()
    and pid <> pg_backend_pid()
    and (cast(:pids as integer[]) is null or pid = any(cast(:pids as integer[])))
    and usename is not null  -- not an autovacuum worker
    and backend_type is distinct from 'walsender'
    and case
        when state = 'idle' then
            state_change > clock_timestamp() - make_interval(secs => :idle_seconds)
            and state_change
            < coalesce(cast(:checked_at as timestamptz), 'infinity') + make_interval(secs => :flush_seconds)
        else coalesce(xact_start > :refreshed_at, true)
    end
order by pid;
