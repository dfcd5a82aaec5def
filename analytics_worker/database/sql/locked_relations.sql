-- The relations that this session has locked in its transaction: those that its statements read.
select distinct pg_catalog.quote_ident(schema.nspname) || '.' || pg_catalog.quote_ident(relation.relname)
from pg_catalog.pg_locks as locks
inner join pg_catalog.pg_class as relation on relation.oid operator(pg_catalog.=) locks.relation
inner join pg_catalog.pg_namespace as schema on schema.oid operator(pg_catalog.=) relation.relnamespace
where
    locks.pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()
    and locks.locktype operator(pg_catalog.=) 'relation'
    and relation.relkind operator(pg_catalog.<>) 'i'
    and schema.nspname operator(pg_catalog.<>) 'pg_catalog'
