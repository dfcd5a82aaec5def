-- Relations whose contract in definitions/trust.yml is broken.
select
    'relation' as kind,
    '' as name,
    c.schema_name,
    c.relation_name,
    c.severity,
    min(k.since) as since,
    array_to_string((array_agg(k.message order by k.name))[1:5], '; ')
    || case when count(*) > 5 then '; and ' || count(*) - 5 || ' more' else '' end as message,
    c.owner,
    null as run_id,
    'contract of ' || c.schema_name || '.' || c.relation_name as label
from ops.contracts as c
inner join ops.contract_checks as k on c.schema_name = k.schema_name and c.relation_name = k.relation_name
where k.status = 'broken'
group by c.schema_name, c.relation_name, c.severity, c.owner
