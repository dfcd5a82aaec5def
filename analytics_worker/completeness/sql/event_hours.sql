-- The rows of each hour of event time, in seconds since 1970.
select floor(extract(epoch from {at}) / 3600)::bigint::text as hour, count(*)::text as counted
from (select {column} as latest from {relation} where {column} >= {since} and {column} < {until}) as found
group by 1
