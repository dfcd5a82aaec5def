with expired as materialized (
    select id from ops.catalog_changes
    where changed_at < now() - make_interval(days => :days)
    order by changed_at
    limit :batch
),
deleted as (
    delete from ops.catalog_changes as c
    using expired
    where c.id = expired.id and not :preview
    returning 1
)
select count(*) as expired from expired;
