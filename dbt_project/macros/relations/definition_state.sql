{# How a relation in the database compares with the query it should hold: absent, unchanged,
   extended (new columns at the end, or another query for the same columns) or different.
   `kind` is v or m as in pg_class. PostgreSQL itself normalizes both queries, so layout and
   comments make no difference, and a query over a retired relation is a different one. #}
{% macro definition_state(relation, sql, kind) %}
    {% set found = relation_kind(relation) %}
    {% if found is none %}{% do return('absent') %}{% endif %}
    {% if found != kind %}{% do return('different') %}{% endif %}
    {% call statement('make_probe') %}
        create temporary view dbt_definition_probe as {{ sql }}
    {% endcall %}
    {% call statement('definition_state', fetch_result=true) %}
        with ids as (
            select
                cast({{ literal(relation.include(database=false)) }} as regclass) as existing,
                cast('pg_temp.dbt_definition_probe' as regclass) as wanted
        )

        select
            case
                when pg_get_viewdef(existing) = pg_get_viewdef(wanted) then 'unchanged'
                when exists (
                    select from pg_attribute as old
                    left join pg_attribute as new
                        on
                            new.attrelid = wanted
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


{# relkind of what has this name now, or none. Asks the database, because dbt's cache does not see
   what other programs do. #}
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
