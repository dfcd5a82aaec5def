-- Texts that no snapshot refers to.
with expired as materialized (
    select t.query_id from ops.query_texts as t
    where t.first_seen_at < now() - make_interval(days => :days) and not exists (
        select 1 from ops.query_statistics as s where s.query_id = t.query_id
    )
    limit :batch
),
deleted as (
    delete from ops.query_texts as t
    using expired as e
    where t.query_id = e.query_id and not :preview
    returning 1
)
select count(*) as expired from expired;
