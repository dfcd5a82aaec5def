"""Whether the services beside the database answer: Prefect API, workers, Redis, mail, web hook.

Opens connections and says nothing on them that changes anything; writes nothing.
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
from analytics_worker.settings import settings
from analytics_worker.transport.address_filter import configured_allow_list
from analytics_worker.transport.http_backend import CheckedBackend, Deadline
from analytics_worker.transport.mail import mail_server
from analytics_worker.transport.smtp import connect, reason
from analytics_worker.transport.webhook_url import parse_url
from flows.monitoring._checks import Finding
from flows.monitoring._work_pools import online_workers

NOT_CONFIGURED = "not configured"
API_FIX = "Start the server (`make up`), or correct PREFECT_API_URL."


def check_api() -> Finding:
    """The Prefect API answers, and speaks our version."""
    with get_client(sync_client=True) as client:
        client.request("GET", "/health").raise_for_status()
        theirs, ours = client.api_version(), version("prefect")
    url = get_current_settings().api.url
    if theirs != ours:
        fix = f"Install prefect {ours} for the server, or the worker's lock file for both."
        return Finding("degraded", f"{url} runs Prefect {theirs}, the worker {ours}", fix)
    return Finding("healthy", f"{url} runs Prefect {theirs}")


def check_pool(pool: str) -> Callable[[], Finding]:
    """Some worker of the pool has sent a heartbeat lately."""

    def look() -> Finding:
        with get_client(sync_client=True) as client:
            online = online_workers(client, pool)
        if not online:
            fix = f"Start one: `analytics-worker worker --pool {pool}`."
            return Finding("unhealthy", f"no worker serves the pool {pool}", fix)
        return Finding("healthy", f"{online} online")

    return look


def check_redis() -> Finding:
    """Redis takes writes: the breakers of several hosts depend on it."""
    url = settings().redis_url
    if url is None:
        return Finding("skipped", f"{NOT_CONFIGURED} (REDIS_URL)")
    store = RedisStore(url.get_secret_value())
    store.check()
    return Finding("healthy", f"{store} takes writes")


def check_mail() -> Finding:
    """The mail server greets us, with the encryption that the settings ask for; nobody logs in."""
    if settings().alert_email_host is None:
        return Finding("skipped", f"{NOT_CONFIGURED} (ALERT_EMAIL_HOST)")
    limit = settings().health_check_timeout_seconds
    server = replace(mail_server(), timeout_seconds=limit)
    try:
        smtp = connect(replace(server, user=None, password=None))
    except (SMTPException, OSError) as error:
        fix = "Correct ALERT_EMAIL_HOST, ALERT_EMAIL_PORT and ALERT_EMAIL_TLS; messages wait."
        return Finding("degraded", f"{server.host}:{server.port}: {reason(error, server)}", fix)
    with suppress(SMTPException, OSError):
        smtp.quit()
    return Finding("healthy", f"{server.host}:{server.port} answers ({server.security})")


def check_webhook() -> Finding:
    """The web hook's host takes connections; nothing is sent."""
    return _reach("ALERT_WEBHOOK_URL", settings().alert_webhook_url)


def check_slack() -> Finding:
    """Slack takes connections; nothing is sent."""
    return _reach("ALERT_SLACK_URL", settings().alert_slack_url)


def _reach(variable: str, url: SecretStr | None) -> Finding:
    if url is None:
        return Finding("skipped", f"{NOT_CONFIGURED} ({variable})")
    target = parse_url(url.get_secret_value())
    deadline = Deadline()
    deadline.start(settings().health_check_timeout_seconds)
    backend = CheckedBackend(configured_allow_list(), deadline)
    try:
        backend.connect_tcp(target.host, target.port).close()
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        fix = f"Correct {variable}, or start the receiver; messages wait."
        return Finding("degraded", f"{target}: {error or 'no answer in time'}", fix)
    return Finding("healthy", f"{target} takes connections")
