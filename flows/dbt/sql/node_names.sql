select distinct name
from ops.dbt_node_results
order by name
limit 10000
