{# Create or change the view `target` and return the action. An unchanged view is kept; one with the same
   columns is replaced; otherwise the old one is retired. #}
{% macro put_view(target, sql) %}
    {% set state = definition_state(target, sql, 'v') %}
    {% if state == 'absent' %}
        {% call statement('create_view') %}create view {{ target }} as {{ sql }}{% endcall %}
        {% do return('CREATE VIEW') %}
    {% elif state == 'unchanged' %}
        {% do return('UNCHANGED') %}
    {% elif state == 'extended' %}
        {% call with_lock_retries(target) %}
            execute $definition$create or replace view {{ target }} as {{ sql }}$definition$;
        {% endcall %}
        {% do return('REPLACE VIEW') %}
    {% endif %}
    {% set built = make_intermediate_relation(target) %}
    {% call statement('build_view') %}create view {{ built }} as {{ sql }}{% endcall %}
    {% do swap(built, target) %}
    {% do return('REBUILD VIEW') %}
{% endmacro %}
