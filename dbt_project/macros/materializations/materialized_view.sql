{# dbt-postgres refreshes an unchanged materialized view in a way that blocks its readers, ignores a changed
   query, and replaces a view by dropping its dependent objects. This materialization refreshes concurrently,
   lets PostgreSQL compare the queries, and builds a new version next to the old one before it renames both. #}
{% materialization materialized_view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type=this.MaterializedView) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set state = definition_state(target_relation, sql, 'm') -%}
    {%- if state == 'absent' -%}
        {% do build_materialized_view(target_relation, sql) %}
    {%- elif keeps_definition(state, target_relation) -%}
        {% do refresh_in_place(target_relation) %}
    {%- else -%}
        {%- set built = make_intermediate_relation(target_relation) -%}
        {% do build_materialized_view(built, sql) %}
        {% do persist_docs(built, model) %}
        {% do swap(built, target_relation) %}
    {%- endif -%}
    {% do persist_docs(target_relation, model) %}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=True) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {% do clear_retired(target_relation) %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro build_materialized_view(relation, sql) %}
    {% call statement('main') %}
        create materialized view {{ relation }} as {{ sql }}
    {% endcall %}
    {% for index in config.get('indexes', []) %}
        {% call statement('create_index') %}{{ get_create_index_sql(relation, index) }}{% endcall %}
    {% endfor %}
{% endmacro %}


{# Return whether the relation keeps its query: because it is unchanged, or because on_configuration_change
   does not apply changes. #}
{% macro keeps_definition(state, relation) %}
    {% if state == 'unchanged' %}{% do return(not should_full_refresh()) %}{% endif %}
    {% set reaction = config.get('on_configuration_change') %}
    {% if should_full_refresh() or reaction == 'apply' %}{% do return(false) %}{% endif %}
    {% set message = relation.include(database=false) ~ ' has a different query from its model' %}
    {% if reaction == 'fail' %}
        {% do exceptions.raise_compiler_error(message ~ ', and on_configuration_change is fail') %}
    {% endif %}
    {% do exceptions.warn(message ~ ', and on_configuration_change is continue') %}
    {% do return(true) %}
{% endmacro %}


{# Refresh an unchanged view. Create new indexes first, so that the refresh can use a unique one; drop old
   ones last. #}
{% macro refresh_in_place(relation) %}
    {% set described = postgres__describe_materialized_view(relation) %}
    {% set changes = relation.get_materialized_view_config_change_collection(described, config.model) %}
    {% set new_indexes = changes.indexes | selectattr('action', 'equalto', 'create') | list if changes else [] %}
    {% set old_indexes = changes.indexes | selectattr('action', 'equalto', 'drop') | list if changes else [] %}
    {% for index in config.get('indexes', []) %}
        {% for change in new_indexes if change.context.column_names | sort == index.columns | map('lower') | sort %}
            {% call statement('create_index') %}{{ get_create_index_sql(relation, index) }}{% endcall %}
        {% endfor %}
    {% endfor %}
    {% call statement('main') %}{{ refresh_materialized_view(relation) }}{% endcall %}
    {% for change in old_indexes %}
        {% call with_lock_retries(relation) %}{{ postgres__get_drop_index_sql(relation, change.context.name) }};{% endcall %}
    {% endfor %}
{% endmacro %}


{# Refresh CONCURRENTLY if PostgreSQL allows it: with a full unique index on plain columns, and populated. #}
{% macro postgres__refresh_materialized_view(relation) %}
    {% call statement('eligible', fetch_result=true) %}
        select
            relation.relispopulated
            and exists (
                select from pg_index as index
                where
                    index.indrelid = relation.oid
                    and index.indisunique and index.indisvalid and index.indimmediate
                    and index.indpred is null and index.indexprs is null
            ) as is_eligible
        from pg_class as relation
        where relation.oid = cast({{ literal(relation.include(database=false)) }} as regclass)
    {% endcall %}
    {% if load_result('eligible').table.columns[0].values()[0] %}
        refresh materialized view concurrently {{ relation }}
    {% else %}
        {% do log(relation.include(database=false) ~ ': readers wait for this refresh; a unique index on plain columns would avoid that', info=true) %}
        refresh materialized view {{ relation }}
    {% endif %}
{% endmacro %}
