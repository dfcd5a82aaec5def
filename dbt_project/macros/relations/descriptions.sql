{# Store descriptions only if one differs. dbt stores every description in every run: a hundred updates of the
   system catalog without effect. #}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) %}
    {% if not are_described(relation, model) %}
        {% do default__persist_docs(relation, model, for_relation, for_columns) %}
    {% endif %}
{% endmacro %}


{% macro are_described(relation, model) %}
    {% call statement('are_described', fetch_result=true) %}
        select count(*) = 0 as are_described
        from (
            values ('', {{ literal(model.description) }})
            {% for name, column in model.columns.items() -%}
            , ({{ literal(name) }}, {{ literal(column.description) }})
            {% endfor %}
        ) as desired (column_name, description)
        cross join (
            select to_regclass({{ literal(relation.include(database=false)) }}) as id
        ) as relation
        left join pg_attribute as attribute
            on
                attribute.attrelid = relation.id
                and attribute.attname = desired.column_name
                and not attribute.attisdropped
        where
            (desired.column_name = '' or attribute.attnum is not null)
            and desired.description is distinct from coalesce(
                case
                    when desired.column_name = '' then obj_description(relation.id, 'pg_class')
                    else col_description(relation.id, attribute.attnum)
                end,
                ''
            )
    {% endcall %}
    {% do return(load_result('are_described').table.columns[0].values()[0]) %}
{% endmacro %}
