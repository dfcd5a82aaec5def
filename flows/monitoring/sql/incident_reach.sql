-- Of these reports and rules: the recipients as they are defined. Of these promises: by when they are promised.
select
    'report' as kind,
    d.name,
    d.definition -> 'recipients' as recipients,
    d.definition -> 'for_each' ->> 'to' is not null as has_rows,
    null as text
from ops.report_definitions as d
where d.enabled and d.retired_at is null and d.name = any(cast(:reports as text []))
union all
select 'rule', a.name, a.definition -> 'channels', false, null
from ops.alert_rules as a
where a.kind <> 'event' and a.enabled and a.retired_at is null and a.name = any(cast(:rules as text []))
union all
select
    'promise',
    p.name,
    null,
    false,
    'by ' || left(p.definition ->> 'by', 5) || ' ' || p.timezone
    || case when p.state in ('at risk', 'broken') then ', ' || p.state else '' end
from ops.promises as p
where p.name = any(cast(:promises as text []))
order by kind, name
