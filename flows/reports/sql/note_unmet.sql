-- Store why held runs are held now, where that has changed.
update ops.report_runs as run
set unmet = given.unmet, unmet_requirements = given.requirements
from jsonb_to_recordset(cast(:runs as jsonb)) as given (id bigint, unmet jsonb, requirements jsonb)
where run.id = given.id and run.status = 'held' and run.unmet <> given.unmet
