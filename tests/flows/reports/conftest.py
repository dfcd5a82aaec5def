"""Where reports of tests go: a folder and a mail server of the test's own."""

from pathlib import Path

import pytest

from analytics_worker.settings import settings
from tests.support.smtp_sink import SmtpSink


@pytest.fixture
def post(
    environment: str, smtp_sink: SmtpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of the report files; mails arrive at the sink."""
    del environment
    folder = tmp_path / "reports"
    variables = {
        "REPORT_OUTPUT_DIR": str(folder),
        "ALERT_EMAIL_HOST": smtp_sink.host,
        "ALERT_EMAIL_PORT": str(smtp_sink.port),
        "ALERT_EMAIL_TLS": "none",
        "ALERT_EMAIL_FROM": "Reports <reports@example.com>",
        "ALERT_EMAIL_TIMEOUT_SECONDS": "10",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    return folder
