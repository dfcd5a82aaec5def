"""A sender of monitoring's notices of the previous version, which wrote to ``ops.deployment_notices``.

Its statements are those of that version, word for word: a notice is sent while its row is locked and
settled in the same transaction. Only webhooks are sent.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from analytics_worker.database.connections import warehouse
from analytics_worker.settings import settings
from analytics_worker.transport.webhook import webhook_session


def send_notices() -> int:
    """Send what is due, oldest first; return how many were sent."""
    url = settings().alert_webhook_url
    assert url is not None
    tried: list[str] = []
    with webhook_session(url) as hook:
        while True:
            with warehouse() as connection:
                due = _run(connection, "claim_notice", tried=tried)
                if not due:
                    return len(tried)
                notice = due[0]
                tried.append(str(notice["id"]))
                hook.post({"kind": notice["kind"]}, str(notice["id"]))
                settled = {"status": "sent", "pause_seconds": 60, "error": None}
                _run(connection, "settle_notice", id=notice["id"], **settled)


def _run(connection: Connection, name: str, **parameters: Any) -> list[RowMapping]:
    path = Path(__file__).parent / "old_version" / f"monitoring_{name}.sql"
    result = connection.execute(text(path.read_text()), parameters)
    return list(result.mappings()) if result.returns_rows else []
