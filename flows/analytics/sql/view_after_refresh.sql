-- What the refresh left, counting what this transaction did and has not committed yet.
select
    pg_total_relation_size(c.oid) as bytes,
    pg_stat_get_xact_tuples_inserted(c.oid) as inserted,
    concat_ws(
        '/',
        c.oid,
        c.relfilenode,
        pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_inserted(c.oid),
        pg_stat_get_tuples_updated(c.oid) + pg_stat_get_xact_tuples_updated(c.oid),
        pg_stat_get_tuples_deleted(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid)
    ) as own_state
from pg_class as c
where c.oid = cast(:oid as oid);
