-- The reports whose reads are not known, or a day old, or that may read a column that no longer exists. One that
-- can't be planned is tried again after ten minutes, or when its definition changed.
with removed as (
    delete from ops.unit_reads as u
    where
        u.kind = 'report'
        and not exists (
            select from ops.report_definitions as d where d.name = u.name and d.retired_at is null
        )
),

reports as (
    select
        d.name,
        d.definition::text as definition,
        encode(sha256(convert_to(d.definition::text, 'UTF8')), 'hex') as definition_hash,
        updated_at
    from ops.report_definitions as d
    where d.enabled and d.retired_at is null
)

select r.name, r.definition, r.definition_hash
from reports as r
left join ops.unit_reads as u on u.kind = 'report' and md5(u.name) = md5(r.name)
where
    u.name is null
    or (u.definition_hash is null and (u.updated_at < now() - interval '10 minutes' or u.updated_at < r.updated_at))
    or u.definition_hash <> r.definition_hash
    or u.updated_at < now() - interval '1 day'
    or (u.definition_hash is not null and u.name in (select m.name from ops.missing_columns as m where m.kind = 'report'))
order by u.updated_at nulls first
limit 20
