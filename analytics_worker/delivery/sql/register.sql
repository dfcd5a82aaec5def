-- The sender is alive as long as its connection holds this lock. The token is random: a role that
-- cannot read ops.deliveries cannot take the lock beforehand.
select pg_advisory_lock(hashtextextended(:owner, 0))
