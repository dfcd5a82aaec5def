{# Post-hook of the KPIs: `select * from analytics_pipeline_kpis` works as it did before the KPIs
   moved to a schema of their own. Part of the model's transaction, so no reader sees it missing. #}
{% macro compatibility_view(relation) %}
    {% if execute %}
        {% set view = api.Relation.create(
            database=relation.database,
            schema=var('compatibility_schema'),
            identifier='analytics_' ~ relation.identifier,
            type='view',
        ) %}
        {% if relation_kind(view) not in (none, 'v') %}
            {% do exceptions.raise_compiler_error(
                view.include(database=false) ~ ' is in the way: it is not a view. Rename it, or set the'
                ~ ' variable compatibility_schema to another schema.'
            ) %}
        {% endif %}
        {% do put_view(view, 'select * from ' ~ relation.include(database=false)) %}
        {% call statement('comment') %}
            comment on view {{ view }}
            is {{ literal('The same as ' ~ relation.schema ~ '.' ~ relation.identifier ~ ', under the name it had before.') }}
        {% endcall %}
    {% endif %}
{% endmacro %}
