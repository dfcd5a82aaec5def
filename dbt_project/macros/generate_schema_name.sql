{# Schemas are named as the models say, without the target's schema in front: other programs read
   them by these names. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
