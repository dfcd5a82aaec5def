"""Configure the default channels with the sinks as receivers."""

import pytest

from analytics_worker.settings import settings
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink


@pytest.fixture
def default_channels(
    environment: str, smtp_sink: SmtpSink, http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty outbox, ``email`` and ``webhook``."""
    del environment
    variables = {
        "ALERT_EMAIL_HOST": smtp_sink.host,
        "ALERT_EMAIL_PORT": str(smtp_sink.port),
        "ALERT_EMAIL_TLS": "none",
        "ALERT_EMAIL_FROM": "alerts@example.com",
        "ALERT_EMAIL_TIMEOUT_SECONDS": "10",
        "ALERT_WEBHOOK_URL": f"{http_sink.url}/canary-token",
        "ALERT_WEBHOOK_SECRET": "canary-secret",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
