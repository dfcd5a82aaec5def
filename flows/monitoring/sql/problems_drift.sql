-- Relations with columns that are read and were removed, renamed, got another type, or may be null now. What the
-- catalog has not recorded yet is found by comparing its columns as last seen with those of now. Who reads them is
-- looked up only for relations that changed.
with units as (
    select 'rule' as kind, a.name, a.error_since as failing_since, a.updated_at
    from ops.alert_rules as a
    where a.kind <> 'event' and a.enabled and a.retired_at is null
    union all
    select
        'report',
        d.name,
        (
            select min(r.finished_at)
            from ops.report_runs as r
            where
                r.report = d.name and r.error is not null and r.finished_at is not null and r.kind = 'scheduled'
                and not exists (
                    select from ops.report_runs as later
                    where
                        later.report = r.report and later.key = r.key and later.kind = 'scheduled'
                        and later.id > r.id and later.finished_at is not null
                )
        ),
        d.updated_at
    from ops.report_definitions as d
    where d.enabled and d.retired_at is null
),

refused as (  -- columns of any relation that units may read which can't be planned, or fail
    select distinct c.read ->> 0 as schema_name, c.read ->> 1 as relation_name, c.read ->> 2 as column_name
    from ops.unit_reads as r
    inner join units as u on r.kind = u.kind and r.name = u.name
    cross join lateral jsonb_array_elements(r.columns) as c (read)
    where r.definition_hash is null or u.failing_since is not null
),

recorded as (  -- of changes within a day, what was before the first one counts
    select l.schema_name, l.relation_name, l.column_name, l.change, f.before, l.after, l.changed_at
    from (
        select distinct on (schema_name, relation_name, column_name, change) *
        from ops.catalog_changes
        where
            column_name is not null
            and changed_at > now() - interval '30 days'
            and change in ('column removed', 'column renamed', 'type changed', 'nullability changed')
        order by schema_name, relation_name, column_name, change, id desc
    ) as l
    cross join lateral (
        select e.before
        from ops.catalog_changes as e
        where
            e.schema_name = l.schema_name and e.relation_name = l.relation_name
            and e.column_name = l.column_name and e.change = l.change
            and e.changed_at > l.changed_at - interval '24 hours'
        order by e.id
        limit 1
    ) as f
),

types as materialized (  -- format_type costs too much to ask once per column
    select atttypid, atttypmod, format_type(atttypid, atttypmod) as data_type
    from pg_attribute
    where attnum > 0 and not attisdropped
    group by atttypid, atttypmod
),

unrecorded as (  -- columns of views may always be null
    select
        k.schema_name,
        k.relation_name,
        k.column_name,
        case
            when a.attname is not null
                then case when t.data_type <> k.data_type then 'type changed' else 'nullability changed' end
            when m.attname is not null then 'column renamed'
            else 'column removed'
        end as change,
        k.data_type as before,
        coalesce(m.attname, 'nullable') as after
    from ops.catalog_columns as k
    inner join pg_namespace as n on k.schema_name = n.nspname
    inner join pg_class as c
        on n.oid = c.relnamespace and k.relation_name = c.relname and c.relkind in ('r', 'p', 'v', 'm', 'f')
    left join pg_attribute as a on c.oid = a.attrelid and k.column_name = a.attname and not a.attisdropped
    left join types as t on a.atttypid = t.atttypid and a.atttypmod = t.atttypmod
    left join lateral (
        select p.attname::text
        from pg_attribute as p
        where
            a.attname is null and k.relation_oid = c.oid
            and p.attrelid = c.oid and p.attnum = k.position and not p.attisdropped
    ) as m on true
    where
        a.attname is null
        or t.data_type <> k.data_type
        or (not a.attnotnull and not k.nullable and c.relkind in ('r', 'p', 'f'))
    union
    select r.schema_name, r.relation_name, r.column_name, 'column removed', null, null
    from refused as r
    inner join pg_namespace as n on r.schema_name = n.nspname
    inner join pg_class as c on n.oid = c.relnamespace and r.relation_name = c.relname
    where not exists (
        select from pg_attribute as a
        where c.oid = a.attrelid and r.column_name = a.attname and not a.attisdropped
    )
),

changes as (  -- those that hold now; the position is that of the column under its name of now
    select distinct on (g.schema_name, g.relation_name, g.column_name, topic)
        g.schema_name,
        g.relation_name,
        g.column_name,
        g.change,
        g.changed_at,
        c.oid,
        coalesce(m.attnum, a.attnum) as position,
        coalesce(g.changed_at, now()) as at,
        g.change in ('column removed', 'column renamed') as is_missing,
        case when g.change in ('column removed', 'column renamed') then 'existence' else g.change end as topic,
        quote_ident(g.column_name) || case g.change
            when 'column removed' then ' was removed'
            when 'column renamed' then ' was renamed to ' || quote_ident(g.after)
            when 'type changed' then ' is ' || format_type(a.atttypid, a.atttypmod) || ', it was ' || g.before
            else ' may be null now'
        end as text
    from (
        select * from recorded
        union all
        select u.*, null
        from unrecorded as u
        where not exists (
            select from recorded as e
            where
                e.schema_name = u.schema_name and e.relation_name = u.relation_name
                and e.column_name = u.column_name and e.change = u.change
                and e.changed_at > now() - interval '24 hours'
        )
    ) as g
    inner join pg_namespace as n on g.schema_name = n.nspname
    inner join pg_class as c on n.oid = c.relnamespace and g.relation_name = c.relname
    left join pg_attribute as a on c.oid = a.attrelid and g.column_name = a.attname and not a.attisdropped
    left join pg_attribute as m
        on g.change = 'column renamed' and c.oid = m.attrelid and g.after = m.attname and not m.attisdropped
    where
        case g.change
            when 'column removed' then a.attname is null
            when 'column renamed' then a.attname is null and m.attname is not null
            when 'type changed' then format_type(a.atttypid, a.atttypmod) <> g.before
            else g.before <> 'nullable' and not a.attnotnull and c.relkind in ('r', 'p', 'f')
        end
        and not exists (  -- a contract that declares it is what counts
            select from ops.contracts as k
            where
                k.schema_name = g.schema_name and k.relation_name = g.relation_name
                and case g.change
                    when 'type changed' then k.definition -> 'columns' -> g.column_name ->> 'type' is not null
                    when 'nullability changed' then k.definition -> 'columns' -> g.column_name ->> 'not_null' = 'true'
                    else false
                end
        )
    order by
        g.schema_name, g.relation_name, g.column_name, topic,
        g.change = 'column renamed' desc, g.changed_at
),

changed as (
    select distinct schema_name, relation_name from changes
),

named as (
    select
        r.kind, r.name, u.failing_since, u.updated_at,
        r.definition_hash is null or u.failing_since is not null as is_refused,
        h.schema_name, h.relation_name, c.read ->> 2 as column_name
    from changed as h
    inner join ops.unit_reads as r
        on r.columns @> jsonb_build_array(jsonb_build_array(h.schema_name, h.relation_name))
    inner join units as u on r.kind = u.kind and r.name = u.name
    cross join lateral jsonb_array_elements(r.columns) as c (read)
    where c.read ->> 0 = h.schema_name and c.read ->> 1 = h.relation_name
),

models as (  -- what dbt builds itself, its other models follow
    select
        d.schema_name as model_schema,
        d.relation_name as model_name,
        h.schema_name,
        h.relation_name,
        b.built_at,
        b.failing_since,
        c.oid,
        c.relkind
    from changed as h
    inner join ops.dbt_relations as d
        on exists (
            select from jsonb_array_elements(d.inputs) as i (relation)
            where i.relation ->> 0 = h.schema_name and i.relation ->> 1 = h.relation_name
        )
    left join lateral (
        select
            max(s.built_at) as built_at,
            min(s.since) filter (where s.status = 'failing') as failing_since
        from ops.dbt_node_health as s
        where
            s.schema_name = d.schema_name and s.relation_name = d.relation_name
            and s.resource_type in ('model', 'snapshot') and s.database_name in ('', current_database())
    ) as b on true
    left join pg_namespace as n on d.schema_name = n.nspname
    left join pg_class as c on n.oid = c.relnamespace and d.relation_name = c.relname
    where not exists (
        select from ops.dbt_node_health as s
        where
            s.schema_name = h.schema_name and s.relation_name = h.relation_name
            and s.resource_type in ('model', 'seed', 'snapshot')
    )
),

readers as (
    select
        h.*, n.kind, n.name, '' as reader_schema, '' as reader_name, n.kind || ' ' || n.name as label,
        coalesce(n.failing_since > h.at - interval '10 minutes', false) as is_failing, true as is_certain
    from changes as h
    inner join named as n
        on h.schema_name = n.schema_name and h.relation_name = n.relation_name and h.column_name = n.column_name
    where case
        when h.is_missing then n.is_refused
        else
            h.at > n.updated_at
            and (h.at > now() - interval '24 hours' or n.failing_since > h.at - interval '10 minutes')
    end
    union all
    select
        h.*, 'relation', '', m.model_schema, m.model_name, 'dbt model ' || m.model_schema || '.' || m.model_name,
        coalesce(m.failing_since > h.at - interval '10 minutes', false), m.relkind is null or m.relkind in ('v', 'm')
    from changes as h
    inner join models as m on h.schema_name = m.schema_name and h.relation_name = m.relation_name
    where
        h.at > coalesce(m.built_at, now() - interval '24 hours')
        and (
            m.relkind is null
            or m.relkind not in ('v', 'm')
            or exists (
                select
                from pg_rewrite as r
                inner join pg_depend as d on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
                where r.ev_class = m.oid and d.refobjid = h.oid and d.refobjsubid = h.position
            )
        )
    union all
    select h.*, 'relation', '', n.nspname, v.relname, 'view ' || n.nspname || '.' || v.relname, false, true
    from changes as h
    inner join pg_depend as d
        on d.refclassid = 'pg_class'::regclass and d.refobjid = h.oid and d.refobjsubid = h.position
        and d.classid = 'pg_rewrite'::regclass
    inner join pg_rewrite as r on d.objid = r.oid
    inner join pg_class as v on r.ev_class = v.oid and v.oid <> h.oid
    inner join pg_namespace as n on v.relnamespace = n.oid
    where h.change = 'nullability changed' and h.at > now() - interval '24 hours'
)

select
    'relation' as kind,
    '' as name,
    r.schema_name,
    r.relation_name,
    case when bool_or(r.is_failing or (r.is_missing and r.is_certain)) then 'critical' else 'warning' end as severity,
    min(r.changed_at) as since,
    array_to_string((array_agg(distinct r.text order by r.text))[1:4], '; ')
    || case when count(distinct r.text) > 4 then '; …' else '' end
    || ': read by '
    || array_to_string((array_agg(distinct r.label order by r.label))[1:8], ', ')
    || case when count(distinct r.label) > 8 then ' and ' || count(distinct r.label) - 8 || ' more' else '' end as message,
    null as owner,
    null as run_id,
    'columns of ' || r.schema_name || '.' || r.relation_name as label,
    jsonb_agg(distinct jsonb_build_array(r.kind, r.name, r.reader_schema, r.reader_name)) as reached
from readers as r
group by r.schema_name, r.relation_name
