-- Deltas of pg_stat_statements since the last snapshot. A counter that went back, or that was reset
-- in between, starts from zero. The first snapshot has nothing to compare with: its interval starts
-- at the last reset. Texts with a password in them are not kept.
with reset as (
    select
        stats_reset,
        -- counters without a row in the last snapshot began after it
        coalesce(
            (
                select max(c.taken_at) from ops.query_counters as c
                where c.reset_at is not distinct from i.stats_reset
            ),
            stats_reset
        ) as since
    from pg_stat_statements_info as i
),
own as (
    select s.*, coalesce(r.rolname, s.userid::text)::text as role_name
    from pg_stat_statements(false) as s
    left join pg_roles as r on s.userid = r.oid
    where s.dbid = (select oid from pg_database where datname = current_database())
        and s.queryid is not null
),
deltas as materialized (
    select
        o.userid, o.queryid, o.toplevel, o.role_name,
        reset.since,
        o.calls - coalesce(c.calls, 0) as calls,
        o.total_exec_time - coalesce(c.total_ms, 0) as total_ms,
        o.rows - coalesce(c.rows, 0) as rows,
        o.shared_blks_hit - coalesce(c.blocks_hit, 0) as blocks_hit,
        o.shared_blks_read - coalesce(c.blocks_read, 0) as blocks_read,
        o.temp_blks_written - coalesce(c.temp_blocks, 0) as temp_blocks,
        o.wal_bytes - coalesce(c.wal_bytes, 0) as wal_bytes
    from own as o
    cross join reset
    left join ops.query_counters as c
        on o.userid = c.user_id and o.queryid = c.query_id and o.toplevel = c.top_level
        and c.reset_at is not distinct from reset.stats_reset
        and o.calls >= c.calls and o.total_exec_time >= c.total_ms and o.rows >= c.rows
),
top as materialized (
    select *, row_number() over (order by total_ms desc, queryid, userid, toplevel) as rank
    from deltas
    where calls > 0
    order by rank
    limit :top
),
texts as (
    insert into ops.query_texts (query_id, query)
    select distinct on (t.queryid)
        t.queryid,
        case when s.query ilike '%password%' then '(not kept: it has a password in it)' else s.query end
    from top as t
    inner join pg_stat_statements(
        exists (
            select 1 from top where not exists (
                select 1 from ops.query_texts as known where known.query_id = top.queryid
            )
        )
    ) as s on t.queryid = s.queryid and t.userid = s.userid
    where s.query is not null and s.query <> '<insufficient privilege>'
    order by t.queryid
    on conflict (query_id) do nothing
    returning query_id
),
kept as (
    insert into ops.query_counters
    select
        o.userid, o.queryid, o.toplevel, o.calls, o.total_exec_time, o.rows, o.shared_blks_hit,
        o.shared_blks_read, o.temp_blks_written, o.wal_bytes, reset.stats_reset, now()
    from own as o
    cross join reset
    order by o.userid, o.queryid, o.toplevel
    on conflict (user_id, query_id, top_level) do update set
        calls = excluded.calls,
        total_ms = excluded.total_ms,
        rows = excluded.rows,
        blocks_hit = excluded.blocks_hit,
        blocks_read = excluded.blocks_read,
        temp_blocks = excluded.temp_blocks,
        wal_bytes = excluded.wal_bytes,
        reset_at = excluded.reset_at,
        taken_at = excluded.taken_at
    returning 1
),
evicted as (
    delete from ops.query_counters as c
    where not exists (
        select 1 from own as o
        where o.userid = c.user_id and o.queryid = c.query_id and o.toplevel = c.top_level
    )
    returning 1
),
added as (
    insert into ops.query_statistics
    select
        now(), rank, queryid, role_name, toplevel, since, calls, total_ms / 1000,
        total_ms / nullif(calls, 0), rows, blocks_hit, blocks_read, temp_blocks, wal_bytes
    from top
    where queryid in (select query_id from texts union select query_id from ops.query_texts)
    returning 1
)
select
    (select count(*) from own) as statements,
    (select count(*) from kept) as counted,
    (select count(*) from evicted) as evicted,
    (select count(*) from added) as stored,
    (select since from reset) as since,
    (select coalesce(sum(calls), 0)::bigint from deltas) as calls,
    (select coalesce(sum(total_ms), 0) / 1000 from deltas) as seconds;
