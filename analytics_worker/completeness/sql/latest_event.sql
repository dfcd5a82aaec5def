-- The latest event that is not in the future, in microseconds since 1970.
select (extract(epoch from {at}) * 1000000)::bigint::text as latest
from (
    select max({column}) as latest
    from {relation}
    where {column} >= {since} and {column} <= {until}
) as found
where latest is not null
