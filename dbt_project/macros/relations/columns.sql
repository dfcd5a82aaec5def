{# Read columns from pg_attribute: information_schema, which dbt uses, lacks those of materialized views, and
   their descriptions would not be stored. #}
{% macro postgres__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=true) %}
        select
            attribute.attname as column_name,
            format_type(attribute.atttypid, null) as data_type,
            information_schema._pg_char_max_length(attribute.atttypid, attribute.atttypmod)
                as character_maximum_length,
            information_schema._pg_numeric_precision(attribute.atttypid, attribute.atttypmod)
                as numeric_precision,
            information_schema._pg_numeric_scale(attribute.atttypid, attribute.atttypmod)
                as numeric_scale
        from pg_attribute as attribute
        where
            attribute.attrelid = to_regclass({{ literal(relation.include(database=false)) }})
            and attribute.attnum > 0
            and not attribute.attisdropped
        order by attribute.attnum
    {% endcall %}
    {% do return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) %}
{%- endmacro %}
