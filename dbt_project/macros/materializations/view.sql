{# dbt-postgres makes a new view, renames, and drops the old one with everything built on it: every
   run would take the materialized views along. This one changes only what changed. A view holds
   no data, so --full-refresh asks for nothing more. #}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    {%- set outcome = put_view(target_relation, sql) -%}
    {%- call noop_statement('main', message=outcome, code=outcome, rows_affected=-1) -%}
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
