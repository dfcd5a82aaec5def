-- The rows, up to 1,000, in which a column has another value than those accepted; null is no value.
select count(*)::text as found from (select from {relation} where {column} not in ({values}) limit 1000) as rows
