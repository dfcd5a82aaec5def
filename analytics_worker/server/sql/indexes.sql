-- The newest runs first, as the pages of the UI request them: without it, SQLite sorts them all.
-- With other names than Prefect's, which a release may create again.
create index if not exists ix_analytics_worker__newest_runs
on flow_run (coalesce(start_time, expected_start_time) desc);

-- The runs that hold a slot of a pool: without it, SQLite reads every run that the pool ever had.
create index if not exists ix_analytics_worker__slots
on flow_run (work_queue_id, state_type);
