{# Today in UTC. Models ask this macro, so that unit tests can say what day it is. #}
{% macro as_of_date() -%}
    cast(now() at time zone 'utc' as date)
{%- endmacro %}
