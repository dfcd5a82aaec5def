update ops.report_definitions
set retired_at = now(), updated_at = now()
where name = any(cast(:names as text []))
