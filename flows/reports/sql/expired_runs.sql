-- Runs to delete: too old, too many of one report, or too many bytes in all, the oldest first. The last
-- good run of each report and key of a schedule or event is kept whatever its age, and so is what is
-- not over yet.
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
        run.kind <> 'ad_hoc' and run.status = 'ready' and row_number() over (
            partition by run.report, run.key, run.status
            order by run.period_end desc, run.id desc
        ) = 1 as is_last_good,
        row_number() over (
            partition by run.report, run.key order by run.period_end desc, run.id desc
        ) as place,
        sum(run.bytes) over (order by run.created_at desc, run.id desc) as bytes_so_far
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
        when place > :most then 'count'
        else 'bytes'
    end as why
from ended
where
    not is_last_good
    and (
        created_at < now() - make_interval(days => :days)
        or place > :most
        or (bytes > 0 and bytes_so_far > :most_bytes)
    )
order by id
