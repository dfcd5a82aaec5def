update ops.messages
set unheard_at = case when cast(:notified as boolean) then null else coalesce(unheard_at, now()) end
where id = :id
