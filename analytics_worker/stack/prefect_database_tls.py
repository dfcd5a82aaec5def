"""TLS to the database of the Prefect server, from the parameters that every other URL has for it.

asyncpg, which the server connects with, knows none of libpq's parameters: they become Prefect's settings for it. Reads
nothing but whether the files are there; writes nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analytics_worker.stack.errors import StackError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

MODE, AUTHORITY, CERTIFICATE, KEY = PARAMETERS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
FILES = {AUTHORITY: "CA_FILE", CERTIFICATE: "CERT_FILE", KEY: "KEY_FILE"}
SETTINGS = "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_"
ENABLED, CHECK_HOSTNAME = f"{SETTINGS}ENABLED", f"{SETTINGS}CHECK_HOSTNAME"
UNVERIFIED = ("disable", "allow", "prefer", "require")
MODES = (*UNVERIFIED, "verify-ca", "verify-full")
SYSTEM = "system"
"""The certificate authorities of this host, which Prefect trusts if no file is named."""


def server_variables(name: str, url: str) -> dict[str, str]:
    """Return what replaces a variable with the URL of the server's database; nothing if it has none of libpq's parameters.

    Raises:
        StackError: sslmode is none of libpq's, or a file is missing.
    """
    if "ssl" not in url:
        return {}
    from sqlalchemy.engine import make_url  # noqa: PLC0415  # 10 MB, which the supervisor does without

    parsed = make_url(url)
    given = {key: str(parsed.query[key]) for key in PARAMETERS if key in parsed.query}
    if not given:
        return {}
    _check(name, given)
    plain, mode = parsed.difference_update_query(PARAMETERS), given.get(MODE, "prefer")
    if mode in UNVERIFIED and not (mode == "require" and AUTHORITY in given):
        return {name: _text(plain.update_query_dict({"ssl": mode}))}
    files = {SETTINGS + FILES[key]: path for key, path in given.items() if key in FILES}
    verified = {key: path for key, path in files.items() if path != SYSTEM}
    checks = {ENABLED: "true", CHECK_HOSTNAME: str(mode == "verify-full").lower()}
    return {name: _text(plain), **checks, **verified}


def libpq_parameters(url: "URL", variables: Mapping[str, str]) -> dict[str, str]:
    """Return libpq's parameters for the same connection: from the URL, else from Prefect's settings."""
    given = {key: str(url.query[key]) for key in PARAMETERS if key in url.query}
    if "ssl" in url.query:
        given[MODE] = str(url.query["ssl"])
    if given or variables.get(ENABLED, "").lower() not in {"true", "1"}:
        return given
    checked = variables.get(CHECK_HOSTNAME, "true").lower() not in {"false", "0"}
    files = {key: variables.get(SETTINGS + setting) for key, setting in FILES.items()}
    named = {AUTHORITY: SYSTEM} | {key: path for key, path in files.items() if path}
    return {MODE: "verify-full" if checked or named[AUTHORITY] == SYSTEM else "verify-ca", **named}


def _check(name: str, given: Mapping[str, str]) -> None:
    if given.get(MODE, "prefer") not in MODES:
        raise StackError(f"{name}: sslmode is one of {', '.join(MODES)}, not {given[MODE]!r}.")
    for key in FILES:
        path = given.get(key, SYSTEM)
        if path != SYSTEM and not Path(path).is_file():
            raise StackError(f"{name}: {key}={path} is not a file on this host.")


def _text(url: "URL") -> str:
    return url.render_as_string(hide_password=False)
