"""The revisions that are read from the files are those that Alembic knows."""

from analytics_worker import migrations
from analytics_worker.database.schema_revision import known_revisions, newest_revision


def test_the_revisions_are_those_of_alembic():
    assert known_revisions().keys() == set(migrations.known_revisions())
    assert newest_revision() == migrations.head()
