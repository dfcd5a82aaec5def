-- For this transaction; never more parallel workers than the server would use by default.
select
    set_config('lock_timeout', :lock_timeout, true),
    set_config(
        'max_parallel_workers_per_gather',
        least(
            current_setting('max_parallel_workers_per_gather')::integer,
            cast(:query_workers as integer)
        )::text,
        true
    );
