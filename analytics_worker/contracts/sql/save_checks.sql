-- Store the results of checks, and delete those that the contract no longer has. A broken check that can't be
-- measured stays broken.
with given as (
    select g.*
    from jsonb_to_recordset(cast(:results as jsonb)) as g (name text, status text, message text)
),

removed as (
    delete from ops.contract_checks
    where
        schema_name = :schema_name and relation_name = :relation_name
        and not name = any(cast(:names as text []))
),

checked as (
    update ops.contracts
    set
        modifications = :modifications,
        checked_definition = definition,
        checked_at = :checked_at,
        retry_at = :retry_at
    where :has_data and schema_name = :schema_name and relation_name = :relation_name
)

insert into ops.contract_checks as c (
    schema_name, relation_name, name, status, message, reason, since, checked_at
)
select
    :schema_name,
    :relation_name,
    g.name,
    g.status,
    case g.status when 'broken' then g.message end,
    case g.status when 'not measured' then g.message end,
    :checked_at,
    :checked_at
from given as g
on conflict (schema_name, relation_name, md5(name)) do update set
    status = case
        when excluded.status = 'not measured' and c.status = 'broken' then c.status else excluded.status
    end,
    message = case when excluded.status = 'not measured' then c.message else excluded.message end,
    reason = excluded.reason,
    since = case
        when excluded.status = c.status or (excluded.status = 'not measured' and c.status = 'broken') then c.since
        else excluded.since
    end,
    checked_at = excluded.checked_at
where
    (c.status, c.message, c.reason) is distinct from (excluded.status, excluded.message, excluded.reason)
