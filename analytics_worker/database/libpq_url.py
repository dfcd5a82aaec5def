"""Read the URL of a database as psql does: into libpq's parameters, with all of them kept.

Opens nothing and writes nothing. Without SQLAlchemy, which the exporter does without. No message repeats a
part of the URL: it contains a password, and in an invalid URL that can be anywhere.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, quote, unquote

import psycopg2
from psycopg2.extensions import parse_dsn

from analytics_worker.errors import ConfigurationError

EXPECTED = "expected postgresql://user:password@host:5432/database"
DRIVERS = ("postgresql", "postgres")
MAX_PORT = 65535
_URL = re.compile(
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<hosts>[^@/?#]*)(?:/(?P<dbname>[^@/?#]*))?(?:\?(?P<query>.*))?"
)
_HOST = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>\d*))?")
_NOT_ENCODED = re.compile(r"[@/?#]|%(?![0-9a-fA-F]{2})")
_PARAMETER = re.compile(r"\w{1,63}")


class DatabaseUrlError(ConfigurationError):
    """A variable holds no valid URL of a PostgreSQL database; the message never repeats it."""


def libpq_parameters(url: str, variable: str = "DATABASE_URL") -> dict[str, str]:
    """Return the parameters that libpq gets; several hosts and ports are separated by commas.

    Args:
        url: ``postgresql://…`` with or without a driver, as psql or SQLAlchemy accepts it.
        variable: Where the URL was configured, for messages.

    Raises:
        DatabaseUrlError: it is not a valid PostgreSQL URL.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator:
        raise DatabaseUrlError(f"{variable} is not a valid URL; {EXPECTED}")
    if scheme.partition("+")[0] not in DRIVERS:
        known = f"the driver {scheme!r}" if re.fullmatch(r"[\w+]{1,40}", scheme) else "no driver"
        raise DatabaseUrlError(f"{variable} has {known}; {EXPECTED}")
    parts = _URL.fullmatch(rest)
    if parts is None or _has_invalid_percent(parts):
        raise _syntax_error(rest, variable)
    found = {name: unquote(parts[name]) for name in ("user", "password", "dbname") if parts[name]}
    found |= _hosts(parts["hosts"].split(","), rest, variable)
    return found | _query(parts["query"] or "", rest, variable)


def host_lists(parameters: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the hosts and as many ports, which may be empty; libpq uses a single port for all hosts."""
    hosts = parameters.get("host", "").split(",")
    ports = parameters.get("port", "").split(",")
    return hosts, ports * len(hosts) if len(ports) == 1 else ports


def connection_problem(message: str, *, short: bool = True) -> str:
    """Return in one line why no connection was opened: of each host that was tried, without libpq's hints.

    Args:
        message: libpq's message.
        short: Whether to leave out the address where there is one only.
    """
    lines = [line.strip() for line in message.splitlines() if line.strip() and line[0] != "\t"]
    if len(lines) == 1 and short:
        return lines[0].split("failed: ")[-1]
    return "; ".join(dict.fromkeys(lines))


def address(parameters: Mapping[str, str]) -> str:
    """Describe the database in messages: hosts or service, and its name."""
    service, host = parameters.get("service"), parameters.get("host")
    where = host or (f"service {service}" if service else "localhost")
    name = parameters.get("dbname")
    return f"{where}, database {name}" if name else where


def _has_invalid_percent(parts: re.Match[str]) -> bool:
    texts = (parts[name] or "" for name in ("user", "password", "hosts", "dbname"))
    return any(re.search(r"%(?![0-9a-fA-F]{2})", text) for text in texts)


def _hosts(hosts: Sequence[str], rest: str, variable: str) -> dict[str, str]:
    """Return libpq's lists of the hosts and ports that ``host:port,host:port`` has."""
    matches = [match for host in hosts if (match := _HOST.fullmatch(host))]
    ports = [match["port"] or "" for match in matches]
    if len(matches) < len(hosts) or any(int(port or 0) > MAX_PORT for port in ports):
        raise _syntax_error(rest, variable)
    names = [unquote(match["host"].strip("[]")) for match in matches]
    lists = {"host": names, "port": ports}
    return {name: ",".join(values) for name, values in lists.items() if any(values)}


def _query(query: str, rest: str, variable: str) -> dict[str, str]:
    """Return the parameters after the question mark, by the names of libpq."""
    pairs = parse_qsl(query, keep_blank_values=True)  # a plus is a space, as in SQLAlchemy's URLs
    if len(pairs) < query.count("&") + bool(query):
        raise _syntax_error(rest, variable)
    hosts = [value for name, value in pairs if name == "host"]
    found: dict[str, str] = {}
    for name, value in pairs:
        found |= _parameter(name, value, rest, variable)
    if any(not is_socket(host) for host in hosts) and (len(hosts) > 1 or ":" in hosts[0]):
        found |= _hosts(hosts, rest, variable)  # SQLAlchemy's way to write several hosts
    return {name: value for name, value in found.items() if value}


def is_socket(host: str) -> bool:
    """Whether a host is the folder of a Unix socket, or an abstract one."""
    return host.startswith(("/", "@"))


def _parameter(name: str, value: str, rest: str, variable: str) -> dict[str, str]:
    if not _PARAMETER.fullmatch(name):
        raise _syntax_error(rest, variable)
    try:
        return dict(parse_dsn(f"postgresql:///?{name}={quote(value, safe='')}"))
    except psycopg2.ProgrammingError:
        if "@" in rest.partition("?")[2] and "@" not in rest.partition("?")[0]:
            raise _syntax_error(rest, variable) from None  # a question mark in the password
        raise DatabaseUrlError(
            f"{variable} has the parameter {name!r}, which libpq does not know; expected one of"
            " https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"
        ) from None


def _syntax_error(rest: str, variable: str) -> DatabaseUrlError:
    """Return the error for a URL that can't be read, with the characters that are probably the reason."""
    login, at, database = rest.rpartition("@")
    where, characters = "user name or password", _not_encoded(login, at)
    if not characters:
        where, characters = "host or database name", _not_encoded(database, "[#%]")
    if not characters:
        return DatabaseUrlError(f"{variable} is not a valid URL; {EXPECTED}")
    encoded = ", ".join(f"{each} as {quote(each, safe='')}" for each in characters)
    example = quote(characters[0], safe="")
    return DatabaseUrlError(
        f"{variable} is not a valid URL; {EXPECTED}: the {where} contains {' '.join(characters)}."
        f" Percent-encode it, like this: postgresql://user:pass{example}word@host:5432/database"
        f" ({encoded})"
    )


def _not_encoded(text: str, only: str) -> list[str]:
    """Return the characters that must be encoded, each once."""
    found = (match[0] for match in _NOT_ENCODED.finditer(text) if only)
    return list(dict.fromkeys(each for each in found if only == "@" or each in only))
