{# Post-hook of the KPIs: keep `select * from analytics_pipeline_kpis` working, the name that KPIs had before
   they moved to another schema. Part of the model's transaction, so it is never missing for readers. #}
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
                view.include(database=false) ~ ' already exists and is not a view. Rename it, or set the'
                ~ ' variable compatibility_schema to another schema.'
            ) %}
        {% endif %}
        {% do put_view(view, 'select * from ' ~ relation.include(database=false)) %}
        {% call statement('comment') %}
            comment on view {{ view }}
            is {{ literal('The same as ' ~ relation.schema ~ '.' ~ relation.identifier ~ ', under its previous name.') }}
        {% endcall %}
    {% endif %}
{% endmacro %}
