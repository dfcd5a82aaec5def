-- Return through which instant what these relations hold is complete. On a read replica, what was measured or
-- refreshed counts once it has replayed it. Without declared columns: when the least recently refreshed view was
-- up to date, and the last change of the tables.
with named as (
    select relation
    from unnest(cast(:relations as text [])) as named (relation)
),

found as (
    select
        n.relation,
        case
            when c.basis not in ('declared column', 'lineage') then null
            when cast(:replayed_until as timestamptz) is null then c.complete_through
            else (
                select h.complete_through
                from ops.completeness_history as h
                where
                    h.schema_name = c.schema_name and h.relation_name = c.relation_name
                    and h.since <= :replayed_until
                order by h.since desc
                limit 1
            )
        end as complete_through,
        coalesce(c.is_partial, true) as is_partial
    from named as n
    left join ops.completeness as c on n.relation = c.schema_name || '.' || c.relation_name
),

views as (
    select max(started_at) as fresh_at
    from ops.refresh_log
    where
        status in ('success', 'unchanged')
        and schema_name || '.' || view_name in (select relation from named)
        and (cast(:replayed_until as timestamptz) is null or finished_at <= :replayed_until)
    group by schema_name, view_name
),

tables as (
    select max(data_as_of) as changed_at
    from ops.catalog_relations
    where
        kind <> 'materialized view' and schema_name || '.' || relation_name in (select relation from named)
)

select
    (select min(complete_through) from found) as complete_through,
    (select coalesce(bool_or(is_partial or complete_through is null), false) from found) as is_partial,
    case
        when coalesce((select min(fresh_at) from views), (select changed_at from tables)) is not null
            then least((select min(fresh_at) from views), (select changed_at from tables), :replayed_until)
    end as changed_at
