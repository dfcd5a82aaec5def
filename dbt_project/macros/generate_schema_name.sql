{# Name schemas as the models configure them, without the target's schema as a prefix: other programs use these
   names. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
