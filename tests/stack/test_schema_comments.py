"""Every table, view and column of schema ops has a comment."""

from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, parse_url

WITHOUT_COMMENT = """
select relation.relname
from pg_class as relation
where
    relation.relnamespace = 'ops'::regnamespace
    and relation.relkind in ('r', 'p', 'v', 'm', 'f')
    and coalesce(obj_description(relation.oid, 'pg_class'), '') = ''
union all
select relation.relname || '.' || attribute.attname
from pg_class as relation
inner join pg_attribute as attribute on relation.oid = attribute.attrelid
where
    relation.relnamespace = 'ops'::regnamespace
    and relation.relkind in ('r', 'p', 'v', 'm', 'f')
    and attribute.attnum > 0
    and not attribute.attisdropped
    and coalesce(col_description(relation.oid, attribute.attnum), '') = ''
order by 1
"""


def test_every_relation_and_column_has_a_comment(database_url):
    """Name each relation and column without one."""
    with direct_connection(parse_url(database_url)) as connection:
        assert connection.scalars(text(WITHOUT_COMMENT)).all() == []
