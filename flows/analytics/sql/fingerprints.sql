-- What a refresh of each view would read, as of now: file and modification counters of every
-- relation behind it, its definition, the session's settings, and when the counters were reset.
-- Equal fingerprints mean equal contents, unless the view has reasons (`unsure`) to be refreshed
-- whenever it is asked for. docs/decisions/refresh-skipping.md argues why.
with recursive stable_builtins as (
    -- Stable only because of settings, which are part of the fingerprint; not because of a clock.
    select unnest(array[
        'array_to_json', 'array_to_string', 'concat', 'concat_ws', 'convert', 'convert_from',
        'convert_to', 'date', 'date_add', 'date_part', 'date_subtract', 'date_trunc', 'extract',
        'format', 'generate_series', 'in_range', 'interval_pl_timestamptz', 'json_agg',
        'json_agg_strict', 'json_build_array', 'json_build_object', 'json_object_agg',
        'json_object_agg_strict', 'json_object_agg_unique', 'json_object_agg_unique_strict',
        'jsonb_agg', 'jsonb_agg_strict', 'jsonb_build_array', 'jsonb_build_object',
        'jsonb_object_agg', 'jsonb_object_agg_strict', 'jsonb_object_agg_unique',
        'jsonb_object_agg_unique_strict', 'length', 'make_timestamptz', 'money', 'numeric',
        'overlaps', 'quote_literal', 'quote_nullable', 'row_to_json', 'anytextcat', 'textanycat',
        'time', 'timestamp', 'timestamptz', 'timestamptz_mi_interval', 'timestamptz_pl_interval',
        'timetz', 'timezone', 'to_char', 'to_date', 'to_json', 'to_jsonb', 'to_number',
        'to_timestamp'
    ]) as name
),
reads (view, relation) as (
    select v, v from unnest(cast(:views as oid[])) as v
    union
    select reads.view, next.relation
    from reads
    inner join pg_class as c on reads.relation = c.oid
    cross join lateral (
        -- From the stored query itself: pg_depend leaves out the system catalogs.
        select mention[1]::oid as relation
        from pg_rewrite as r
        cross join lateral regexp_matches(r.ev_action::text, ' .relid ([0-9]+)', 'g') as mention
        where r.ev_class = c.oid
            and r.ev_type = '1'
            and (
                c.oid = reads.view
                or (c.relkind = 'v' and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema'))
            )
        union all
        select inhrelid from pg_inherits where inhparent = c.oid
    ) as next
    where next.relation <> 0 and next.relation <> reads.view
),
relations as materialized (
    select
        reads.view,
        c.*,
        format('%I.%I', n.nspname, c.relname) as name,
        n.nspname in ('pg_catalog', 'information_schema') as is_system,
        concat_ws(
            '/',
            c.oid,
            c.relfilenode,
            pg_stat_get_tuples_inserted(c.oid),
            pg_stat_get_tuples_updated(c.oid),
            pg_stat_get_tuples_deleted(c.oid)
        ) as state
    from reads
    inner join pg_class as c on reads.relation = c.oid
    inner join pg_namespace as n on c.relnamespace = n.oid
),
rules as materialized (
    select rel.view, r.ev_action::text as tree
    from relations as rel
    inner join pg_rewrite as r on rel.oid = r.ev_class and r.ev_type = '1'
    where rel.oid = rel.view or (rel.relkind = 'v' and not rel.is_system)
),
functions as materialized (
    select distinct rules.view, p.oid, p.proname, p.provolatile, p.prosrc,
        p.pronamespace = 'pg_catalog'::regnamespace as is_builtin
    from rules
    cross join lateral regexp_matches(
        rules.tree, '(funcid|aggfnoid|winfnoid) ([0-9]+)', 'g'
    ) as mention
    inner join pg_proc as p on mention[2]::oid = p.oid
),
unsure as (
    select view, 'it calls ' || proname || '()' as reason
    from functions
    where provolatile = 'v'
        or (
            provolatile = 's'
            and not (
                is_builtin
                and (
                    proname in (select name from stable_builtins)
                    -- the operators between dates and times
                    or proname ~ '^(date|timestamp|timestamptz)_[a-z]{2,3}_(date|timestamp|timestamptz)$'
                )
            )
        )
    union
    select rules.view,
        case
            when mention[1]::int = 0 then 'it depends on current_date'
            when mention[1]::int < 9 then 'it depends on the current time'
            else 'it depends on who refreshes it'
        end
    from rules
    cross join lateral regexp_matches(rules.tree, 'SQLVALUEFUNCTION .op ([0-9]+)', 'g') as mention
    union
    select view, 'it reads text as dates, which may be relative (''today'')'
    from rules
    where tree like '%{COERCEVIAIO %' and tree ~ ' .resulttype (1082|1083|1114|1184|1266|1186) '
    union
    select view, 'it reads a random sample' from rules where tree like '%{TABLESAMPLECLAUSE %'
    union
    select view, 'it reads ' || name || ', whose changes are not counted'
    from relations
    where oid <> view
        and (is_system or relkind not in ('r', 'm', 'p', 'v') or relpersistence not in ('p', 'u'))
    union
    select view, 'it reads ' || name || ', which has row-level security'
    from relations where relrowsecurity
    union
    select v, 'this server does not count changes (track_counts is off)'
    from unnest(cast(:views as oid[])) as v where not current_setting('track_counts')::boolean
    union
    select v, 'PostgreSQL before 15 may lose counts of changes'
    from unnest(cast(:views as oid[])) as v
    where current_setting('server_version_num')::integer < 150000
),
definitions as (
    select view, md5(string_agg(tree, ' ' order by tree)) as query from rules group by view
),
bodies as (
    select view, md5(string_agg(oid || prosrc, ' ' order by oid)) as functions
    from functions where not is_builtin group by view
),
server as (
    select concat_ws(
        '/',
        extract(epoch from pg_postmaster_start_time()),
        (
            select extract(epoch from stats_reset)
            from pg_stat_database where datname = current_database()
        ),
        (select extract(epoch from stats_reset) from pg_stat_bgwriter)
    ) as counting_since
),
session as (
    select md5(string_agg(name || '=' || setting, ' ' order by name) || current_user) as settings
    from pg_settings
    where name in (
        'TimeZone', 'DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output',
        'search_path', 'lc_monetary', 'lc_numeric', 'lc_time', 'standard_conforming_strings'
    )
)
select
    rel.view::bigint as oid,
    jsonb_build_object(
        'definition', concat_ws('/', max(d.query), max(b.functions)),
        'counting_since', max(server.counting_since),
        'settings', max(session.settings),
        'inputs', coalesce(
            jsonb_object_agg(rel.name, rel.state)
                filter (where rel.oid <> rel.view and rel.relkind in ('r', 'm', 'p')),
            '{}'
        )
    ) as fingerprint,
    max(rel.state) filter (where rel.oid = rel.view) as own_state,
    array(select reason from unsure where unsure.view = rel.view order by reason) as unsure
from relations as rel
inner join definitions as d on rel.view = d.view
left join bodies as b on rel.view = b.view
cross join server
cross join session
group by rel.view;
