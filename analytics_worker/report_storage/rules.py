"""Restrict what a Report Storage block may name: API users who write blocks are not the operator.

Reads settings; writes and connects to nothing. Folders and protocols must be among those of the settings.
An S3 endpoint of the block is limited to OUTBOUND_ALLOWED_HOSTS by
`analytics_worker.transport.connection_guard`, and used without the environment's proxies and credentials.
Without an endpoint in the block, S3 is AWS, or the operator's AWS_ENDPOINT_URL.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.transport.address_filter import AllowList, configured_allow_list
from blocks.report_storage import ReportStorage

LOCAL = frozenset({"file", "local"})
_ALIASES = {"s3a": "s3"}
_S3_BASE = re.compile(r"s3a?://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/[^?#:\\\x00-\x1f]*)?")

# All other options name files, addresses or programs, or are not settings.
_S3_OPTIONS = frozenset({"anon", "client_kwargs", "config_kwargs", "endpoint_url", "key", "requester_pays", "s3_additional_kwargs", "secret", "token", "use_ssl"})  # fmt: skip
_CLIENT_OPTIONS = frozenset({"endpoint_url", "region_name", "use_ssl"})
_CONFIG_OPTIONS = frozenset({"connect_timeout", "max_pool_connections", "read_timeout", "region_name", "retries", "s3", "signature_version"})  # fmt: skip


class StorageError(PermanentError):
    """A report storage can't be used; the message says what to change."""


class RemoteLocation(NamedTuple):
    """A storage that fsspec may open."""

    base: str
    options: dict[str, Any]
    allowed: AllowList | None
    """Internal addresses that it may connect to; None if the block names no address."""


def local_folder(base: str) -> Path | None:
    """Return the folder that a base names, or None if it names something else.

    Raises:
        StorageError: the settings do not allow this folder.
    """
    protocol, separator, path = base.partition("://")
    if separator and protocol.lower() not in LOCAL:
        return None
    output = settings().report_output_dir
    folder = (output / (path if separator else base)).resolve()
    roots = [root.resolve() for root in (output, *settings().report_storage_folders)]
    if not any(folder.is_relative_to(root) for root in roots):
        raise StorageError(
            f"{folder} is not below REPORT_OUTPUT_DIR. To allow it, add it to"
            " REPORT_STORAGE_FOLDERS."
        )
    return folder


def remote_location(block: ReportStorage) -> RemoteLocation:
    """Return the location that a block names, with its options checked.

    Raises:
        StorageError: the protocol or an option is not allowed.
    """
    base = block.base
    scheme = base.partition("://")[0].lower()
    protocol = _ALIASES.get(scheme, scheme)
    permitted = settings().report_storage_protocols
    if protocol not in permitted or "::" in base:
        raise StorageError(
            f"{base[:80]!r} is not a valid base; expected a folder or one of"
            f" {', '.join(f'{each}://…' for each in permitted)}. To allow another protocol, add it"
            " to REPORT_STORAGE_PROTOCOLS."
        )
    options = dict(block.options.get_secret_value())
    if protocol == "s3":
        return _s3(base, options)
    return RemoteLocation(base, options, configured_allow_list())


def checked_link(link: str | None) -> str | None:
    """Check the link base of a block, which is shown in emails; return it.

    Raises:
        StorageError: it is not a web address.
    """
    if link and not re.fullmatch(r"https?://[^\s<>\"'\\]+", link):
        raise StorageError(f"link {link[:80]!r} is not a valid link; expected https://host/path")
    return link


def _s3(base: str, options: dict[str, Any]) -> RemoteLocation:
    if not _S3_BASE.fullmatch(base):
        raise StorageError(f"{base[:80]!r} is not a valid base; expected s3://bucket/folder")
    client = _mapping(options, "client_kwargs")
    config = _mapping(options, "config_kwargs")
    for names, known in (
        (options, _S3_OPTIONS),
        (client, _CLIENT_OPTIONS),
        (config, _CONFIG_OPTIONS),
    ):
        _check_names(names, known)
    endpoints = [e for e in (options.get("endpoint_url"), client.get("endpoint_url")) if e]
    if not endpoints:
        return RemoteLocation(base, options, None)
    for endpoint in endpoints:
        _check_endpoint(endpoint)
    if not options.get("anon") and not (options.get("key") and options.get("secret")):
        raise StorageError(
            "endpoint_url needs key and secret beside it: the worker's own credentials are for AWS"
        )
    options["config_kwargs"] = {**config, "proxies": {}}
    return RemoteLocation(base, options, configured_allow_list())


def _mapping(options: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = options.get(name) or {}
    if not isinstance(value, Mapping):
        raise StorageError(f"option {name} is not valid; expected a JSON object")
    return value


def _check_names(options: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := sorted(str(name) for name in options.keys() - known):
        raise StorageError(
            f"option {unknown[0][:80]!r} is not permitted; expected {', '.join(sorted(known))}"
        )


def _check_endpoint(endpoint: object) -> None:
    try:
        parts = urlsplit(str(endpoint))
        valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\\@\x00-\x1f]", str(endpoint)):
        raise StorageError("endpoint_url is not a valid address; expected https://host:port")
