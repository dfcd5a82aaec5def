-- Who got a report, and when.
select v.channel, v.recipient, v.role, v.sent_at
from ops.messages as m
inner join ops.deliveries as v on m.id = v.message_id
where
    m.domain = 'reports'
    and m.reference = cast(:run_id as text)
    and m.kind = 'report'
    and v.status in ('sent', 'digested')
order by v.sent_at, v.recipient
