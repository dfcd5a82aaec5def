{# Replace `target` by `built`. Nothing is dropped: the old relation is renamed, so its readers continue to
   work. Grants are copied. Views that read the old relation are re-created on the new one, if its columns
   allow that. #}
{% macro swap(built, target) %}
    {% call with_lock_retries(target) %}
        declare
            old oid := cast({{ literal(target.include(database=false)) }} as regclass);
            new oid := cast({{ literal(built.include(database=false)) }} as regclass);
            readers text[];
            statement text;
        begin
            readers := array(
                select format(
                    'create or replace view %s.%I%s as %s',
                    view.relnamespace::regnamespace, -- an unqualified view would be created elsewhere
                    view.relname,
                    ' with (' || array_to_string(view.reloptions, ', ') || ')',
                    pg_get_viewdef(view.oid)
                )
                from pg_class as view
                where
                    view.relkind = 'v'
                    and view.oid in ({{ readers_of('old') }})
            );

            execute format(
                'alter table %s rename to %I',
                old::regclass, left({{ literal(target.identifier) }}, 40) || '__retired_' || old
            );
            execute format(
                'comment on %s %s is %L',
                (
                    select case relkind when 'm' then 'materialized view' when 'v' then 'view' else 'table' end
                    from pg_class where oid = old
                ),
                old::regclass,
                'Retired by dbt, which drops it as soon as nothing reads it.'
            );
            execute format('alter table %s rename to %I', new::regclass, {{ literal(target.identifier) }});

            for statement in
                select format(
                    'grant %s on %s to %s%s',
                    acl.privilege_type,
                    new::regclass,
                    case acl.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end,
                    case when acl.is_grantable then ' with grant option' end
                )
                from pg_class as relation
                cross join aclexplode(relation.relacl) as acl
                where relation.oid = old and acl.grantee <> relation.relowner
            loop
                execute statement;
            end loop;

            foreach statement in array readers
            loop
                begin
                    execute statement;
                exception
                    when lock_not_available then raise;
                    when others then raise notice '%: %', statement, sqlerrm; -- it continues to read the old one
                end;
            end loop;
        end;
    {% endcall %}
{% endmacro %}


{# Return a query for the oids of the views and materialized views that read the relation `id` directly. #}
{% macro readers_of(id) -%}
    select pg_rewrite.ev_class
    from pg_depend
    inner join pg_rewrite on pg_rewrite.oid = pg_depend.objid
    where
        pg_depend.classid = 'pg_rewrite'::regclass
        and pg_depend.refclassid = 'pg_class'::regclass
        and pg_depend.refobjid = {{ id }}
        and pg_rewrite.ev_class <> {{ id }}
{%- endmacro %}
