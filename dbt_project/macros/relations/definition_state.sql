{# Compare a relation in the database with the query of its model: absent, unchanged, extended (new columns at
   the end, or another query for the same columns) or different. `kind` is v or m as in pg_class. PostgreSQL
   normalizes both queries, so layout and comments make no difference, and a query of a retired relation is
   different. #}
{% macro definition_state(relation, sql, kind) %}
    {% set existing_kind = relation_kind(relation) %}
    {% if existing_kind is none %}{% do return('absent') %}{% endif %}
    {% if existing_kind != kind %}{% do return('different') %}{% endif %}
    {% call statement('make_probe') %}
        create temporary view dbt_definition_probe as {{ sql }}
    {% endcall %}
    {% call statement('definition_state', fetch_result=true) %}
        with ids as (
            select
                cast({{ literal(relation.include(database=false)) }} as regclass) as existing,
                cast('pg_temp.dbt_definition_probe' as regclass) as desired
        )

        select
            case
                when pg_get_viewdef(existing) = pg_get_viewdef(desired) then 'unchanged'
                when exists (
                    select from pg_attribute as old
                    left join pg_attribute as new
                        on
                            new.attrelid = desired
                            and (old.attnum, old.attname, old.atttypid, old.atttypmod, old.attcollation)
                            = (new.attnum, new.attname, new.atttypid, new.atttypmod, new.attcollation)
                    where old.attrelid = existing and old.attnum > 0 and new.attnum is null
                ) then 'different'
                else 'extended'
            end as state
        from ids
    {% endcall %}
    {% call statement('drop_probe') %}
        drop view pg_temp.dbt_definition_probe
    {% endcall %}
    {% do return(load_result('definition_state').table.columns[0].values()[0]) %}
{% endmacro %}


{# Return the relkind of the relation, or none if it does not exist. Reads the database, because dbt's cache
   does not contain changes of other programs. #}
{% macro relation_kind(relation) %}
    {% call statement('relation_kind', fetch_result=true) %}
        select relkind
        from pg_class
        where oid = to_regclass({{ literal(relation.include(database=false)) }})
    {% endcall %}
    {% set rows = load_result('relation_kind').table.rows %}
    {% do return(rows[0][0] if rows else none) %}
{% endmacro %}


{% macro literal(value) -%}
    '{{ value | string | replace("'", "''") }}'
{%- endmacro %}
