-- Store when days are usually there; null if it is not known.
update ops.promise_days as d
set
    is_estimated = true,
    usual_offset = e.usual_offset,
    usual_spread = e.usual_spread,
    usual_after_dbt = e.usual_after_dbt
from json_to_recordset(cast(:estimates as json)) as e (
    name text, day date, usual_offset interval, usual_spread interval, usual_after_dbt interval
)
where md5(d.name) = md5(e.name) and d.day = e.day
