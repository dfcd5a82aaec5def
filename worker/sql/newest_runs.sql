-- The newest runs first, as the pages of the UI ask for them: without it, SQLite sorts them all.
-- A name of our own: an index of Prefect's may come back.
create index if not exists ix_analytics_worker__newest_runs
on flow_run (coalesce(start_time, expected_start_time) desc);
