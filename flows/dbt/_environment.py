"""Redact the secrets of dbt's environment from its output.

Reads profiles.yml; writes nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from analytics_worker.database.dbt_environment import SECRET_VARIABLE

REDACTED = "*****"
MIN_SECRET_CHARACTERS = 4  # redacting "db" would make messages unreadable
_SECRET_IN_PROFILE = re.compile(
    r"""(?:^|[\s{,])(?:pass|password|token|\w*_passphrase)\s*:\s*("[^"]*"|'[^']*'|[^#,}\n]+)"""
)


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
