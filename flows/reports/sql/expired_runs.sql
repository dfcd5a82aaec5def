-- Runs to delete: too old, too many of one report, or too many bytes in total, the oldest first. The last
-- successful run of each report and key is kept at any age, except for ad-hoc and preliminary reports and follow-ups. So
-- are runs that are not finished or have unfinished deliveries.
with ended as (
    select
        run.id,
        run.report,
        run.period,
        run.key,
        run.storage,
        run.files,
        run.bytes,
        run.created_at,
        run.kind not in ('ad_hoc', 'preliminary', 'follow_up') and run.status = 'ready' and row_number() over (
            partition by run.report, run.key, run.kind, run.status
            order by run.period_end desc, run.id desc
        ) = 1 as is_last_ready,
        row_number() over (
            partition by run.report, run.key, run.kind order by run.period_end desc, run.id desc
        ) as run_rank,
        sum(run.bytes) over (order by run.created_at desc, run.id desc) as total_bytes
    from ops.report_runs as run
    where
        run.status in ('ready', 'skipped', 'failed')
        and not exists (
            select 1
            from ops.messages as message
            inner join ops.deliveries as delivery on message.id = delivery.message_id
            where
                message.domain = 'reports'
                and message.reference = cast(run.id as text)
                and delivery.status in ('pending', 'sending')
        )
)

select
    id,
    report,
    period,
    key,
    storage,
    files,
    bytes,
    case
        when created_at < now() - make_interval(days => :days) then 'age'
        when run_rank > :max_runs then 'count'
        else 'bytes'
    end as why
from ended
where
    not is_last_ready
    and (
        created_at < now() - make_interval(days => :days)
        or run_rank > :max_runs
        or (bytes > 0 and total_bytes > :max_bytes)
    )
order by id
