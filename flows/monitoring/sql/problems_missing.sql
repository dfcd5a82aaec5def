-- Relations that are read and do not exist. Whether the catalog found that, who reads them, and their name of now if
-- they were renamed or moved to another schema: the oid stays. Those that only dbt reads may be of another database,
-- unless the catalog knows them. dbt renames relations while it replaces them.
with absent_names as materialized (  -- usually none, so that nothing else is looked up
    select r.relation ->> 0 as schema_name, r.relation ->> 1 as relation_name
    from (
        select relations from ops.unit_reads
        union all
        select inputs from ops.dbt_relations
    ) as u (relations)
    cross join lateral jsonb_array_elements(u.relations) as r (relation)
    where r.relation ->> 0 is not null and r.relation ->> 1 is not null
    except
    select n.nspname::text, c.relname::text
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
),

readers as (
    select
        g.schema_name, g.relation_name, u.kind, u.name, '' as reader_schema, '' as reader_name,
        u.kind || ' ' || u.name as label, u.relations, u.columns
    from absent_names as g
    inner join ops.unit_reads as u
        on u.relations @> jsonb_build_array(jsonb_build_array(g.schema_name, g.relation_name))
    where
        case u.kind
            when 'rule' then exists (
                select from ops.alert_rules as a
                where a.name = u.name and a.kind <> 'event' and a.enabled and a.retired_at is null
            )
            when 'report' then exists (
                select from ops.report_definitions as d
                where d.name = u.name and d.enabled and d.retired_at is null
            )
            else true
        end
    union all
    select
        g.schema_name, g.relation_name, 'relation', '', d.schema_name, d.relation_name,
        'dbt model ' || d.schema_name || '.' || d.relation_name, null, null
    from absent_names as g
    inner join ops.dbt_relations as d
        on d.inputs @> jsonb_build_array(jsonb_build_array(g.schema_name, g.relation_name))
),

absent as (
    select
        r.*,
        coalesce(r.columns @> jsonb_build_array(jsonb_build_array(r.schema_name, r.relation_name)), true) as is_named,
        k.missing_since, c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as renamed_to
    from readers as r
    left join ops.catalog_relations as k
        on r.schema_name = k.schema_name and r.relation_name = k.relation_name
    left join pg_class as c
        on k.oid = c.oid and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname !~ '__dbt_(tmp|backup)'
    left join pg_namespace as n on c.relnamespace = n.oid
),

missing as (
    select
        a.schema_name,
        a.relation_name,
        min(a.missing_since) as missing_since,
        min(a.renamed_to) as renamed_to,
        jsonb_agg(distinct jsonb_build_array(a.kind, a.name)) filter (where a.kind in ('rule', 'report')) as readers,
        array_agg(distinct a.label order by a.label) filter (where a.kind <> 'dbt') as labels,
        jsonb_agg(distinct jsonb_build_array(a.kind, a.name, a.reader_schema, a.reader_name)) as reached
    from absent as a
    where
        a.is_named
        or not (
            exists (  -- a view that the statement reads goes on with a renamed relation
                select
                from pg_depend as d
                inner join pg_rewrite as w on d.objid = w.oid and w.ev_class <> a.oid
                inner join pg_class as v on w.ev_class = v.oid
                inner join pg_namespace as s on v.relnamespace = s.oid
                left join ops.catalog_relations as k on v.oid = k.oid
                where
                    d.refclassid = 'pg_class'::regclass and d.refobjid = a.oid
                    and d.classid = 'pg_rewrite'::regclass
                    and (
                        a.relations @> jsonb_build_array(jsonb_build_array(s.nspname, v.relname))
                        or a.relations @> jsonb_build_array(jsonb_build_array(k.schema_name, k.relation_name))
                    )
            )
            or exists (  -- a partitioned table goes on without a partition
                select from ops.catalog_relations as k
                where
                    k.kind = 'partitioned table'
                    and a.relations @> jsonb_build_array(jsonb_build_array(k.schema_name, k.relation_name))
            )
        )
    group by a.schema_name, a.relation_name
)

select
    'relation' as kind,
    '' as name,
    m.schema_name,
    m.relation_name,
    'critical' as severity,
    case when m.renamed_to is null then m.missing_since end as since,
    case
        when m.renamed_to is null then 'it does not exist, and is read'
        else
            'it was renamed to ' || m.renamed_to || ', and is read'
            || coalesce(' by ' || array_to_string(m.labels[1:8], ', '), '')
            || case when cardinality(m.labels) > 8 then ' and ' || cardinality(m.labels) - 8 || ' more' else '' end
    end as message,
    null as owner,
    null as run_id,
    m.schema_name || '.' || m.relation_name as label,
    m.renamed_to is not null or m.missing_since is not null as is_certain,
    coalesce(m.readers, '[]') as readers,
    case when m.renamed_to is not null then m.reached end as reached
from missing as m
where m.missing_since is not null or m.renamed_to is not null or m.readers is not null
