{# Return today in UTC. Models use this macro, so that unit tests can set the day. #}
{% macro as_of_date() -%}
    cast(now() at time zone 'utc' as date)
{%- endmacro %}
