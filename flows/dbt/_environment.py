"""What a dbt process gets from this worker: variables for profiles.yml, and what must not be shown.

Reads the environment (dbt's env_var() may name any variable), the settings and profiles.yml.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL

from analytics_worker.database.connections import MissingDatabaseError, warehouse_url

HIDDEN = "*****"
SECRET_VARIABLE = "DBT_ENV_SECRET"  # noqa: S105  # the prefix that dbt keeps out of its own logs
SHORTEST_SECRET = 4  # hiding "db" would hide half of every sentence
_SECRET_IN_PROFILE = re.compile(
    r"""(?:^|[\s{,])(?:pass|password|token|\w*_passphrase)\s*:\s*("[^"]*"|'[^']*'|[^#,}\n]+)"""
)


def dbt_environment() -> dict[str, str]:
    """This process's variables, and the warehouse's connection for profiles.yml."""
    return {
        **os.environ,  # noqa: TID251  # a child's environment
        **_connection(),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "LC_MESSAGES": "C",  # libpq's messages are read by a program
    }


def secrets(environment: Mapping[str, str], profiles: Path) -> list[str]:
    """Texts that no log line, state or artifact may contain, longest first."""
    found = {value for name, value in environment.items() if name.startswith(SECRET_VARIABLE)}
    profile = profiles / "profiles.yml"
    if profile.is_file():
        values = _SECRET_IN_PROFILE.findall(profile.read_text(errors="replace"))
        found |= {value.strip().strip("\"'") for value in values if "{{" not in value}
    spelled = {form for value in found for form in (value, quote(value, ""), quote_plus(value))}
    worth_hiding = {form for form in spelled if len(form) >= SHORTEST_SECRET}
    return sorted(worth_hiding, key=len, reverse=True)


def scrub(text: str, hidden: list[str]) -> str:
    """The text without secrets."""
    for secret in hidden:
        text = text.replace(secret, HIDDEN)
    return text


def _connection() -> dict[str, str]:
    try:
        url = warehouse_url()
    except MissingDatabaseError:
        return {}  # the project's profiles.yml knows its own database
    return {
        "DBT_HOST": _host(url),
        "DBT_PORT": str(url.query.get("port") or url.port or 5432),
        "DBT_USER": url.username or "",
        f"{SECRET_VARIABLE}_PASSWORD": url.password or "",
        "DBT_DBNAME": url.database or "",
        "DBT_SSLMODE": str(url.query.get("sslmode", "prefer")),
    }


def _host(url: URL) -> str:
    """Host name, or the folder of the unix socket, which URLs carry as a parameter."""
    return str(url.query.get("host") or url.host or "localhost")
