{# dbt-postgres creates a new view, renames it, and drops the old one with all dependent objects: every run
   would drop the materialized views. This materialization changes a view only if its query changed. A view
   has no data, so --full-refresh makes no difference. #}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    {%- set action = put_view(target_relation, sql) -%}
    {%- call noop_statement('main', message=action, code=action, rows_affected=-1) -%}
        {{ sql }}
    {%- endcall -%}
    {% do persist_docs(target_relation, model) %}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=True) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {% do clear_retired(target_relation) %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
