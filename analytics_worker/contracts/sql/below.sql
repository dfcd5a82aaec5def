-- The rows, up to 1,000, in which a column is less than a value.
select count(*)::text as found from (select from {relation} where {column} < {value} limit 1000) as rows
