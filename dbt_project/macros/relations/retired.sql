{# After a model: drop unused retired relations, and warn about readers of its old version. Usually there are no
   retired relations, and one query is enough. #}
{% macro clear_retired(target) %}
    {% call statement('are_retired', fetch_result=true) %}
        select exists ({{ retired_relations() }}) as are_retired
    {% endcall %}
    {% if load_result('are_retired').table.columns[0].values()[0] %}
        {% do drop_retired() %}
        {% do warn_about_readers_of_retired(target) %}
    {% endif %}
{% endmacro %}


{# Drop retired relations without dependent objects, and commit. One that is currently in use is dropped by a
   later run. #}
{% macro drop_retired() %}
    {% call statement('drop_retired') %}
        do $drop_retired$
        declare
            retired record;
            dropped boolean := true;
        begin
            -- one process at a time; any role may hold an advisory lock, so do not wait for it
            if not pg_try_advisory_xact_lock(hashtext('dbt drop_retired')) then
                return;
            end if;
            perform set_config('lock_timeout', '100ms', true);
            while dropped loop
                dropped := false;
                for retired in {{ retired_relations() }}
                loop
                    begin
                        execute format('drop %s %s restrict', retired.kind, retired.name);
                        dropped := true;
                    exception when dependent_objects_still_exist or lock_not_available then
                        null;
                    end;
                end loop;
            end loop;
        end
        $drop_retired$
    {% endcall %}
    {% do adapter.commit() %}
{% endmacro %}


{# Warn about readers of this model's old version that this run does not rebuild. #}
{% macro warn_about_readers_of_retired(target) %}
    {% call statement('readers', fetch_result=true) %}
        select
            retired.name as retired_name,
            pg_namespace.nspname as reader_schema,
            pg_class.relname as reader_name
        from ({{ retired_relations() }}) as retired
        inner join pg_class on pg_class.oid in ({{ readers_of('retired.id') }})
        inner join pg_namespace on pg_namespace.oid = pg_class.relnamespace
        where
            retired.schema_name = {{ literal(target.schema) }}
            and retired.of_name = left({{ literal(target.identifier) }}, 40)
        order by retired_name, reader_schema, reader_name
    {% endcall %}
    {% set rebuilt = [] %}
    {% for node in graph.nodes.values() if node.unique_id in selected_resources %}
        {% do rebuilt.append((node.schema, node.alias)) %}
    {% endfor %}
    {% for row in load_result('readers').table.rows if (row[1], row[2]) not in rebuilt %}
        {% do exceptions.warn(
            row[1] ~ '.' ~ row[2] ~ ' still reads the previous version of ' ~ target.include(database=false)
            ~ ', kept as ' ~ row[0] ~ '. If it is a model, run it too (dbt run --select '
            ~ model.name ~ '+); otherwise change it, and the next run drops the old version.'
        ) %}
    {% endfor %}
{% endmacro %}


{% macro retired_relations() -%}
    select
        pg_class.oid as id,
        format('%I.%I', pg_namespace.nspname, pg_class.relname) as name,
        pg_namespace.nspname as schema_name,
        regexp_replace(pg_class.relname, '__retired_\d+$', '') as of_name,
        case pg_class.relkind
            when 'm' then 'materialized view' when 'v' then 'view' else 'table'
        end as kind
    from pg_class
    inner join pg_namespace on pg_namespace.oid = pg_class.relnamespace
    where
        pg_class.relname ~ '__retired_\d+$'
        and pg_class.relkind in ('m', 'v', 'r')
        and obj_description(pg_class.oid, 'pg_class') like 'Retired by dbt%'
        and pg_has_role(pg_class.relowner, 'usage')
    order by pg_class.oid desc
{%- endmacro %}
