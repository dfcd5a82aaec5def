-- The keys, up to 1,000, that several rows have; as for a unique index, one with a null is not compared.
select count(*)::text as found
from (
    select from {relation} where ({columns}) is not null group by {columns} having count(*) > 1 limit 1000
) as keys
