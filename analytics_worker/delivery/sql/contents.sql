select id, content
from ops.messages
where id = any(cast(:ids as uuid[]))
