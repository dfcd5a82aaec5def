"""Check whether the services besides the database answer: Prefect API, workers, Redis, SMTP, webhook, Slack.

Opens connections and sends nothing on them that changes anything. Writes nothing.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from smtplib import SMTPException

import httpcore
from prefect import get_client
from prefect.settings import get_current_settings
from pydantic import SecretStr

from analytics_worker.breakers.redis import RedisStore
from analytics_worker.prefect_support.deployments import deployed_flows
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.stopped_work import (
    missing_pool,
    stopped_by,
    stopped_deployments,
)
from analytics_worker.settings import settings
from analytics_worker.stack_address import without_login
from analytics_worker.text import first_of
from analytics_worker.transport.address_filter import configured_allow_list
from analytics_worker.transport.http_backend import CheckedBackend, RequestDeadline
from analytics_worker.transport.smtp import connect, reason
from analytics_worker.transport.smtp_session import configured_mail_server
from analytics_worker.transport.webhook_url import parse_url
from flows.monitoring.checks.runner import Finding
from flows.monitoring.measurements.work_pools import online_workers

NOT_CONFIGURED = "not configured"
MAX_SHOWN = 5
API_FIX = "Start the server (`make up`), or correct PREFECT_API_URL."


def check_api() -> Finding:
    """Check that the Prefect API answers and has the worker's version."""
    with get_client(sync_client=True) as client:
        client.request("GET", "/health").raise_for_status()
        server_version, worker_version = client.api_version(), version("prefect")
    url = without_login(get_current_settings().api.url)
    if server_version != worker_version:
        fix = (
            f"Install prefect {worker_version} for the server, or the worker's lock file for both."
        )
        return Finding(
            "degraded", f"{url} runs Prefect {server_version}, the worker {worker_version}", fix
        )
    return Finding("healthy", f"{url} runs Prefect {server_version}")


def check_pool(pool: str) -> Callable[[], Finding]:
    """Return a check that a worker of the pool sent a heartbeat recently, and that it hands out runs."""

    def check() -> Finding:
        with get_client(sync_client=True) as client:
            existing = {each.name: each for each in pages(client.read_work_pools)}
            if pool not in existing:
                return Finding("unhealthy", *missing_pool(pool, existing))
            online = online_workers(client, pool)
            stopped = stopped_by(client, existing[pool]) if online else []
        if not online:
            fix = f"Start one: `analytics-worker worker --pool {pool}`."
            return Finding("unhealthy", f"no worker of pool {pool} is online", fix)
        if stopped:
            return Finding("degraded", *stopped[0])
        return Finding("healthy", f"{online} online")

    return check


def check_deployments() -> Finding:
    """Check that no deployment of prefect.yaml is kept from running: paused, without a pool, or with the limit 0."""
    wanted = [entry.deployment for entry in deployed_flows()]
    with get_client(sync_client=True) as client:
        found = list(stopped_deployments(wanted, pages(client.read_deployments)))
    if not found:
        return Finding("healthy", f"none of {len(wanted)} is paused or has the limit 0")
    return Finding(
        "degraded", first_of([each.message for each in found], MAX_SHOWN, "; "), found[0].fix
    )


def check_redis() -> Finding:
    """Check that Redis accepts writes: the breakers of several hosts depend on it."""
    url = settings().redis_url
    if url is None:
        return Finding("skipped", f"{NOT_CONFIGURED} (REDIS_URL)")
    store = RedisStore(url.get_secret_value())
    store.check()
    return Finding("healthy", f"{store} accepts writes")


def check_mail() -> Finding:
    """Check that the mail server greets, with the encryption of the settings; do not log in."""
    if settings().alert_email_host is None:
        return Finding("skipped", f"{NOT_CONFIGURED} (ALERT_EMAIL_HOST)")
    timeout = settings().health_check_timeout_seconds
    server = replace(configured_mail_server(), timeout_seconds=timeout)
    try:
        smtp = connect(replace(server, user=None, password=None))
    except (SMTPException, OSError) as error:
        fix = "Correct ALERT_EMAIL_HOST, ALERT_EMAIL_PORT and ALERT_EMAIL_TLS; messages wait."
        return Finding("degraded", f"{server.host}:{server.port}: {reason(error, server)}", fix)
    with suppress(SMTPException, OSError):
        smtp.quit()
    return Finding("healthy", f"{server.host}:{server.port} answers ({server.security})")


def check_webhook() -> Finding:
    """Check that the webhook's host accepts connections; send nothing."""
    return _check_connection("ALERT_WEBHOOK_URL", settings().alert_webhook_url)


def check_slack() -> Finding:
    """Check that Slack accepts connections; send nothing."""
    return _check_connection("ALERT_SLACK_URL", settings().alert_slack_url)


def _check_connection(variable: str, url: SecretStr | None) -> Finding:
    if url is None:
        return Finding("skipped", f"{NOT_CONFIGURED} ({variable})")
    target = parse_url(url.get_secret_value())
    deadline = RequestDeadline()
    deadline.start(settings().health_check_timeout_seconds)
    backend = CheckedBackend(configured_allow_list(), deadline)
    try:
        backend.connect_tcp(target.host, target.port).close()
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        fix = f"Correct {variable}, or start the receiver; messages wait."
        return Finding("degraded", f"{target}: {error or 'no answer in time'}", fix)
    return Finding("healthy", f"{target} accepts connections")
