-- For the exporter: deliveries by channel, domain and status.
select channel, domain, status, count(*) as deliveries
from ops.deliveries
group by channel, domain, status
order by channel, domain, status
