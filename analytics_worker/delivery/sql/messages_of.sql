select id
from ops.messages
where domain = :domain and reference = :reference and notice_of is null
order by position
