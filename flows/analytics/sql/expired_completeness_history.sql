-- The last expired value of each relation stays, because it holds until the next one.
with expired as materialized (
    select h.schema_name, h.relation_name, h.since
    from ops.completeness_history as h
    where
        h.since < now() - make_interval(days => :days)
        and exists (
            select from ops.completeness_history as later
            where
                later.schema_name = h.schema_name and later.relation_name = h.relation_name
                and later.since > h.since and later.since < now() - make_interval(days => :days)
        )
    order by h.since
    limit :batch
),
deleted as (
    delete from ops.completeness_history as h
    using expired as e
    where
        h.schema_name = e.schema_name and h.relation_name = e.relation_name and h.since = e.since
        and not :preview
    returning 1
)
select count(*) as expired from expired;
