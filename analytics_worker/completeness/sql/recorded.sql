-- The values since the oldest build that counts, and for each relation the last one before.
select schema_name, relation_name, since, complete_through, is_partial
from ops.completeness_history
where
    since >= :since
    or (schema_name, relation_name, since) in (
        select schema_name, relation_name, max(since)
        from ops.completeness_history
        where since < :since
        group by schema_name, relation_name
    )
order by schema_name, relation_name, since
