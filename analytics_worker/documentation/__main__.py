"""Generate all generated documents: ``python -m analytics_worker.documentation``."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from analytics_worker.database.connections import direct_connection, parse_url
from analytics_worker.documentation.env_file import env_example
from analytics_worker.documentation.flows import flows_page
from analytics_worker.documentation.metrics import metrics_page
from analytics_worker.documentation.schema import schema_page
from analytics_worker.documentation.settings import settings_page
from analytics_worker.documentation.support import support_page
from analytics_worker.migrations import upgrade
from analytics_worker.settings import project_root
from analytics_worker.stack.postgres.server import EmbeddedPostgres


@contextmanager
def _migrated_database() -> Generator[Connection]:
    """Connect to a temporary database that has only schema ops."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder), durable=False) as server,
    ):
        upgrade(server.url)
        with direct_connection(parse_url(server.url)) as connection:
            yield connection


def main() -> None:
    """Write .env.example and the pages flows, metrics, settings, support and schema."""
    docs = project_root() / "docs"
    (project_root() / ".env.example").write_text(env_example())
    (docs / "flows.md").write_text(flows_page())
    (docs / "metrics.md").write_text(metrics_page())
    (docs / "settings.md").write_text(settings_page())
    (docs / "support.md").write_text(support_page())
    with _migrated_database() as connection:
        (docs / "schema.md").write_text(schema_page(connection))


if __name__ == "__main__":
    main()
