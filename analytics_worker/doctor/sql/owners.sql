-- Owners of active rules and reports, each once.
select definition ->> 'owner' as owner from ops.alert_rules
where retired_at is null and definition ->> 'owner' is not null
union
select definition ->> 'owner' as owner from ops.report_definitions
where retired_at is null and definition ->> 'owner' is not null
order by owner;
