select pg_advisory_unlock(hashtextextended(:owner, 0))
