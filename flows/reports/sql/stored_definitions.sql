select
    name,
    definition,
    retired_at is not null as retired
from ops.report_definitions
