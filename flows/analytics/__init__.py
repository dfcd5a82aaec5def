"""The analytics flows: catalog, materialized views, query statistics, and the logs they keep."""

from flows.analytics.catalog import refresh_catalog
from flows.analytics.materialized_views import refresh_materialized_views
from flows.analytics.query_statistics import update_query_statistics
from flows.analytics.refresh_log import cleanup_old_refresh_logs

__all__ = [
    "cleanup_old_refresh_logs",
    "refresh_catalog",
    "refresh_materialized_views",
    "update_query_statistics",
]
