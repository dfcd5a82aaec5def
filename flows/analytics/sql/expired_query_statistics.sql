with expired as materialized (
    select taken_at, rank from ops.query_statistics
    where taken_at < now() - make_interval(days => :days)
    order by taken_at, rank
    limit :batch
),
deleted as (
    delete from ops.query_statistics as s
    using expired as e
    where s.taken_at = e.taken_at and s.rank = e.rank and not :preview
    returning 1
)
select count(*) as expired from expired;
