"""docs/schema.md equals the comments of a migrated database."""

from analytics_worker.database.connections import direct_connection, parse_url
from analytics_worker.documentation.schema import schema_page
from analytics_worker.settings import project_root


def test_is_up_to_date(database_url):
    with direct_connection(parse_url(database_url)) as connection:
        page = schema_page(connection)
    assert (project_root() / "docs/schema.md").read_text() == page, (
        "run `python -m analytics_worker.documentation`"
    )
