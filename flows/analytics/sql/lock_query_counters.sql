-- One snapshot at a time, or two would count the same calls.
lock table ops.query_counters in share row exclusive mode;
