-- Store a comparison, unless another process has stored one meanwhile. After an error, the run is compared again.
with saved as (
    update ops.report_comparisons
    set
        compared_at = now(),
        fingerprint = case when cast(:error as text) is null then :fingerprint end,
        error = :error,
        unchanged_until = case
            when cast(:changes as jsonb) = '[]' and cast(:error as text) is null
                then cast(:started_at as timestamptz)
            else unchanged_until
        end,
        noticed_at = case when changes = cast(:changes as jsonb) then noticed_at else now() end,
        changes = cast(:changes as jsonb)
    where run_id = :run_id and compared_at = :compared_at
    returning run_id
),

moved as (
    update ops.report_values as v
    set held = v.held + m.held, moved = v.moved + m.moved
    from
        saved,
        jsonb_to_recordset(cast(:movements as jsonb)) as m (
            part text, position smallint, held integer, moved integer
        )
    where v.run_id = saved.run_id and v.part = m.part and v.position = m.position
)

select run_id from saved
