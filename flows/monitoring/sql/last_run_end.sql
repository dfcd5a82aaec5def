select max(ended_at) as ended_at from ops.judged_runs;
