"""The revisions that are read from the names of files are those that Alembic knows."""

from analytics_worker import migrations
from analytics_worker.database.schema_revision import known_revisions


def test_each_revision_has_the_name_of_its_file_and_their_order_is_alembics():
    assert known_revisions() == migrations.known_revisions()
