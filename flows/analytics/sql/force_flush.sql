-- The statistics show this transaction as soon as it is committed.
select pg_stat_force_next_flush();
