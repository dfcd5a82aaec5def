-- The rows, up to 1,000, in which a column is null.
select count(*)::text as found from (select from {relation} where {column} is null limit 1000) as rows
