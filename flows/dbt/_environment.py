"""Prepare the environment of a dbt process, and redact secrets from its output.

Reads the environment (dbt's env_var() can name any variable), the settings and profiles.yml.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from analytics_worker.database.connections import MissingDatabaseError, warehouse_url
from analytics_worker.database.libpq_environment import dbt_variables, extra_parameters
from analytics_worker.database.urls import parameters_of

REDACTED = "*****"
SECRET_VARIABLE = "DBT_ENV_SECRET"  # noqa: S105  # the prefix that dbt keeps out of its own logs
MIN_SECRET_CHARACTERS = 4  # redacting "db" would make messages unreadable
_SECRET_IN_PROFILE = re.compile(
    r"""(?:^|[\s{,])(?:pass|password|token|\w*_passphrase)\s*:\s*("[^"]*"|'[^']*'|[^#,}\n]+)"""
)


def dbt_environment() -> dict[str, str]:
    """Return the variables of this process and the warehouse connection for profiles.yml."""
    return {
        **os.environ,  # noqa: TID251  # a child's environment
        **_connection(),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "LC_MESSAGES": "C",  # libpq's messages are read by a program
    }


def secrets(environment: Mapping[str, str], profiles: Path) -> list[str]:
    """Return the secrets to redact from logs, states and artifacts, longest first."""
    values = {value for name, value in environment.items() if name.startswith(SECRET_VARIABLE)}
    profile = profiles / "profiles.yml"
    if profile.is_file():
        matches = _SECRET_IN_PROFILE.findall(profile.read_text(errors="replace"))
        values |= {value.strip().strip("\"'") for value in matches if "{{" not in value}
    encoded = {form for value in values for form in (value, quote(value, ""), quote_plus(value))}
    long_enough = {form for form in encoded if len(form) >= MIN_SECRET_CHARACTERS}
    return sorted(long_enough, key=len, reverse=True)


def redact(text: str, secret_values: list[str]) -> str:
    """Return the text with secrets redacted."""
    for secret in secret_values:
        text = text.replace(secret, REDACTED)
    return text


def _connection() -> dict[str, str]:
    try:
        url = warehouse_url()
    except MissingDatabaseError:
        return {}  # profiles.yml of the project defines its own connection
    parameters = parameters_of(url)
    return dbt_variables(parameters, f"{SECRET_VARIABLE}_PASSWORD") | extra_parameters(parameters)
