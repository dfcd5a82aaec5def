"""Build the environment of a run's process: the worker's variables and Prefect settings, and a few more.

Writes one file: a copy of one certificate, in a folder of the worker.
"""

import os
from pathlib import Path

import certifi
from prefect.settings import get_current_settings

from analytics_worker.prefect_support.heartbeat_timeout import (
    HEARTBEAT_SECONDS,
    HEARTBEAT_VARIABLE,
)
from analytics_worker.private_folder import create_private
from analytics_worker.worker.fork_server.launch import take_base_process

CLIENT_RETRIES = "8"
"""Retries for eight minutes instead of one: a run that ends while the server is unavailable must still report."""
END_OF_CERTIFICATE = "-----END CERTIFICATE-----\n"


def child_environment(folder: Path) -> dict[str, str]:
    """Return the environment of every child; children with equal settings share the parsed ones."""
    take_base_process()
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    environment = {**os.environ, **settings}  # noqa: TID251  # passed on to children
    environment.setdefault("PREFECT_CLIENT_MAX_RETRIES", CLIENT_RETRIES)
    # As prefect.yaml gives it to each run: equal settings need not be parsed again.
    environment.setdefault(HEARTBEAT_VARIABLE, str(HEARTBEAT_SECONDS))
    certificate = _one_certificate(folder)
    if certificate is not None:
        environment.setdefault("PREFECT_API_SSL_CERT_FILE", str(certificate))
    return environment


def _one_certificate(folder: Path) -> Path | None:
    """One certificate instead of certifi's 140, only where the API is reached without TLS.

    Prefect reads them for every client, also for http:// URLs: 30 ms of CPU each time. SSL_CERT_FILE is
    only the setting's default. To use its certificates for an API without TLS, set them in Prefect.
    """
    api = get_current_settings().api
    if "ssl_cert_file" in api.model_fields_set or not str(api.url or "").startswith("http://"):
        return None
    path = folder / "certificate.pem"
    if not path.exists():
        head, end, _ = Path(certifi.where()).read_text().partition(END_OF_CERTIFICATE)
        create_private(folder)
        path.write_text(head[head.index("-----BEGIN") :] + end)
    return path
