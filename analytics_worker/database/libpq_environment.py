"""Translate libpq's parameters into variables for other programs: psql, and dbt, which has no URL.

Reads libpq's service file and variables where parameters of the connection are left to them; writes nothing.
"""

import getpass
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from analytics_worker.database.libpq_url import host_lists

EXTRA_PARAMETERS = "DBT_LIBPQ_PARAMETERS"
"""Variable with the parameters that profiles.yml can't express, as JSON, for a dbt process of the worker."""
_DEFAULTS = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
_VARIABLES = _DEFAULTS | {
    "password": "PGPASSWORD",
    "hostaddr": "PGHOSTADDR",
    "passfile": "PGPASSFILE",
    "require_auth": "PGREQUIREAUTH",
    "channel_binding": "PGCHANNELBINDING",
    "service": "PGSERVICE",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "sslmode": "PGSSLMODE",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcertmode": "PGSSLCERTMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "requirepeer": "PGREQUIREPEER",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "gssdelegation": "PGGSSDELEGATION",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "client_encoding": "PGCLIENTENCODING",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}
_IDENTITY = frozenset({*_DEFAULTS, "password", "service", "application_name"})


def psql_variables(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return libpq's variables, so that psql without arguments connects to the same database."""
    known = {name: value for name, value in parameters.items() if name in _VARIABLES}
    return {_VARIABLES[name]: value for name, value in known.items()}


def dbt_variables(parameters: Mapping[str, str], secret: str) -> dict[str, str]:
    """Return the variables that profiles.yml reads; `secret` is the name of the one for the password."""
    known = complete(parameters)
    return {
        "DBT_HOST": known["host"],
        "DBT_PORT": host_lists(known)[1][0] or "5432",
        "DBT_USER": known["user"],
        secret: known.get("password", ""),
        "DBT_DBNAME": known["dbname"],
        "DBT_SSLMODE": known.get("sslmode", "prefer"),
    }


def extra_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the variable with the parameters of the connection that profiles.yml can't express."""
    known = complete(parameters)
    extra = {name: value for name, value in known.items() if name not in _IDENTITY}
    ports = known.get("port", "")
    extra |= {"port": ports} if "," in ports else {}
    return {EXTRA_PARAMETERS: json.dumps(extra, sort_keys=True)}


def complete(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters with those that libpq adds: from the service file, variables, the account."""
    service = parameters.get("service") or os.environ.get("PGSERVICE")  # noqa: TID251  # libpq's own
    known = _service(service) if service else {}
    known |= parameters
    for name, variable in _DEFAULTS.items():
        value = os.environ.get(variable)  # noqa: TID251  # libpq's own
        known |= {name: value} if value and not known.get(name) else {}
    user = known.get("user") or getpass.getuser()
    return {"host": "localhost", "dbname": user} | known | {"user": user}


def _service(name: str) -> dict[str, str]:
    """Return the parameters of a service; nothing if it is unknown, of which libpq informs."""
    for path in _service_files():
        found: dict[str, str] | None = None
        for line in path.read_text(errors="replace").splitlines() if path.is_file() else ():
            key, equals, value = line.strip().partition("=")
            if key.startswith("["):
                if found is not None:
                    break
                found = {} if key == f"[{name}]" else None
            elif found is not None and equals and not key.startswith("#"):
                found[key.strip()] = value.strip()
        if found is not None:
            return found
    return {}


def _service_files() -> Iterator[Path]:
    variables = os.environ  # noqa: TID251  # libpq's own
    yield Path(variables.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf")
    if folder := variables.get("PGSYSCONFDIR"):
        yield Path(folder) / "pg_service.conf"
