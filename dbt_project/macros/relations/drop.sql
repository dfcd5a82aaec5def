{# dbt drops with CASCADE, which takes along whatever was built on a relation without a word.
   These refuse instead, and PostgreSQL's message names what is in the way. #}
{% macro default__drop_view(relation) -%}
    drop view if exists {{ relation }}
{%- endmacro %}

{% macro postgres__drop_table(relation) -%}
    drop table if exists {{ relation }}
{%- endmacro %}

{% macro postgres__drop_materialized_view(relation) -%}
    drop materialized view if exists {{ relation }}
{%- endmacro %}
