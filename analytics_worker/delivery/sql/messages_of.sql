select id
from ops.messages
where
    domain = :domain
    and reference = :reference
    and notice_of is null
    and (cast(:kind as text) is null or kind = :kind)
order by position
