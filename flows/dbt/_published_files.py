"""Store pages and SQL of dbt beside the reports, where people can open them.

Writes to the storage of the reports: REPORT_OUTPUT_DIR or its block. A file replaces the one of the same name
when it is complete.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from httpx import HTTPError
from prefect import get_run_logger

from analytics_worker.report_storage.rules import StorageError
from analytics_worker.report_storage.storage import open_storage
from analytics_worker.text import one_line
from flows.dbt._dbt_artifacts import NodeResult, is_failed
from flows.dbt.node_history.details import NodeDetails


def publish_file(name: str, content: bytes) -> str:
    """Store a file; return its address for readers, or its path without REPORT_LINK_BASE.

    Raises:
        StorageError, OSError, HTTPError: it can't be stored.
    """
    storage = open_storage()
    temporary = storage.temporary(name)
    try:
        temporary.write_bytes(content)
        storage.publish(temporary, name)
    finally:
        temporary.unlink(missing_ok=True)
    return storage.link(name)


def publish_failed_sql(
    command: str, title: str, nodes: Iterable[NodeResult], details: Mapping[str, NodeDetails]
) -> str | None:
    """Store the SQL of the failed nodes of a run; return its address, or None if there is none."""
    parts = [
        f"-- {node['unique_id']}: {one_line(node['message'])}\n{sql}\n"
        for node in nodes
        if is_failed(node) and (sql := details[node["unique_id"]]["compiled_sql"])
    ]
    if not parts:
        return None
    content = "\n".join([f"-- {one_line(title)}\n", *parts]).encode(errors="replace")
    try:
        return publish_file(f"dbt-{command}-failed.sql", content)
    except (StorageError, OSError, HTTPError) as error:
        get_run_logger().warning(
            "could not store the SQL of failed nodes: %s", one_line(str(error))
        )
        return None


def publish_docs(page: Path, suffix: str) -> str:
    """Store the documentation as ``dbt-docs<suffix>.html``; return its address.

    Raises:
        StorageError, OSError, HTTPError: it can't be stored.
    """
    return publish_file(f"dbt-docs{suffix}.html", page.read_bytes())
