"""Storage and mail server of the reports of tests."""

from pathlib import Path

import pytest

from analytics_worker.settings import settings
from tests.support.smtp_sink import SmtpSink


@pytest.fixture
def report_folder(
    environment: str, smtp_sink: SmtpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the folder of the report files; emails are sent to the sink."""
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
