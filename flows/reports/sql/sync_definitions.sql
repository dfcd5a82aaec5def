-- Store the definitions of the file. A report that was retired and is defined again starts anew,
-- without missed periods.
insert into ops.report_definitions as stored (name, definition, schedule, enabled)
select
    name,
    definition,
    schedule,
    enabled
from jsonb_to_recordset(cast(:reports as jsonb)) as definitions (
    name text, definition jsonb, schedule text, enabled boolean
)
on conflict (name) do update
    set
        definition = excluded.definition,
        schedule = excluded.schedule,
        enabled = excluded.enabled,
        created_at = case when stored.retired_at is null then stored.created_at else now() end,
        done_until = case when stored.schedule = excluded.schedule then stored.done_until end,
        -- new times apply from now on
        due_until = case
            when
                stored.retired_at is null
                and stored.enabled
                and stored.schedule = excluded.schedule
                and array(
                    select stored.definition -> names.name
                    from unnest(array['schedule', 'cron', 'at', 'weekdays', 'timezone']) as names (name)
                )
                is not distinct from array(
                    select excluded.definition -> names.name
                    from unnest(array['schedule', 'cron', 'at', 'weekdays', 'timezone']) as names (name)
                )
                then stored.due_until
            else now()
        end,
        retired_at = null,
        updated_at = now()
