-- Store what a run sent, and that it shows what is different in earlier runs.
with given as (
    select *
    from jsonb_to_recordset(cast(:parts as jsonb)) as given (
        part text,
        position smallint,
        title text,
        unit text,
        decimals smallint,
        points jsonb,
        rows bigint,
        hash text,
        sums jsonb,
        columns jsonb,
        is_approximate boolean,
        problem text
    )
),

stored as (
    insert into ops.report_values (
        run_id,
        part,
        position,
        title,
        unit,
        decimals,
        points,
        rows,
        hash,
        sums,
        columns,
        is_approximate,
        problem
    )
    select
        :run_id,
        part,
        position,
        title,
        unit,
        decimals,
        points,
        rows,
        hash,
        sums,
        columns,
        is_approximate,
        problem
    from given
),

shown as (
    update ops.report_comparisons
    set shown_in = :run_id
    where
        run_id = any(cast(:shown as bigint []))
        -- What the owner was notified of meanwhile is shown by the next run.
        and notified_at <= (select started_at from ops.report_runs where id = :run_id)
)

insert into ops.report_comparisons (run_id, compared_at, unchanged_until, fingerprint, complete_through)
values (:run_id, now(), now(), :fingerprint, :complete_through)
