-- Runs that are held, or were sent without some of their parts, by report and requirement that is not met; also the
-- requirements of all reports that are met.
with held as (
    select
        run.id,
        run.report,
        unmet.requirement
    from ops.report_runs as run
    cross join jsonb_array_elements_text(run.unmet_requirements) as unmet (requirement)
    where run.status = 'held'
    union
    select
        run.id,
        run.report,
        unmet.requirement
    from ops.report_runs as run
    cross join jsonb_array_elements(run.held_parts) as held (part)
    cross join jsonb_array_elements_text(held.part -> 'requirements') as unmet (requirement)
    where run.parts_held_until is not null
    union
    select
        null,
        stored.name,
        required.name #>> '{}'
    from ops.report_definitions as stored
    cross join (values ('$'), ('$.queries[*]'), ('$.tiles[*]'), ('$.charts[*]')) as owners (path)
    cross join jsonb_path_query(
        stored.definition, cast(owners.path || '.requires.keyvalue().key' as jsonpath), '{}', true
    ) as required (name)
    where stored.enabled and stored.retired_at is null
)

select
    report,
    requirement,
    count(id) as number
from held
where requirement <> 'latest'
group by report, requirement
