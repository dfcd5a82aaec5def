-- The promises, of which relation or report each is, and by when.
select
    p.name,
    p.schema_name,
    p.relation_name,
    p.report,
    'promise by ' || left(p.definition ->> 'by', 5) || ' ' || p.timezone
    || case jsonb_typeof(p.definition -> 'weekdays')
        when 'array' then ' on ' || (
            select string_agg(d.day, ', ' order by d.position)
            from jsonb_array_elements_text(p.definition -> 'weekdays') with ordinality as d (day, position)
        )
        when 'string' then ' on ' || replace(p.definition ->> 'weekdays', '_', ' ') || ' days'
        else ''
    end
    || case when p.state in ('at risk', 'broken') then ', ' || p.state else '' end as description
from ops.promises as p
