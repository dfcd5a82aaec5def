{# Drop without CASCADE, with which dbt drops all dependent objects without an error. PostgreSQL then refuses, and its
   message names the dependent objects. #}
{% macro default__drop_view(relation) -%}
    drop view if exists {{ relation }}
{%- endmacro %}

{% macro postgres__drop_table(relation) -%}
    drop table if exists {{ relation }}
{%- endmacro %}

{% macro postgres__drop_materialized_view(relation) -%}
    drop materialized view if exists {{ relation }}
{%- endmacro %}
