"""What every test gets: a scrubbed environment, loopback only, shared services on demand."""

import os
import shutil
import tempfile

import pytest

from analytics_worker.settings import settings

# Before anything imports Prefect: its home, and with it results and logs, is a folder of this run.
_HOME = tempfile.mkdtemp(prefix="analytics-worker-tests-")
_SCRUBBED = (
    "PREFECT_",
    "DATABASE_",
    "READER_",
    "REDIS_",
    "ALERT_",
    "DELIVERY_",
    "REPORT_",
    "DBT_",
    "PG",
    "CELERY_",
    "WEBHOOK_",
    "OUTBOUND_",
    "EMAIL_",
    "MONITORING_",
    "PROMETHEUS_",
    "SERVER_",
)
for _name in [name for name in os.environ if name.startswith(_SCRUBBED)]:
    del os.environ[_name]
os.environ |= {
    "PREFECT_HOME": f"{_HOME}/prefect",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "STATE_DIR": f"{_HOME}/state",
    "LOG_DIR": f"{_HOME}/logs",
    "READER_ROLE": "analytics_reader",  # of all copies of the template
    "SERVER_LOGIN": "off",  # independent of other accounts on this machine
}

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.foreign_warehouse",
    "tests.support.prefect",
    "tests.support.redis_server",
    "tests.support.smtp_sink",
    "tests.support.http_sink",
    "tests.support.certificates",
    "tests.support.default_channels",
    "tests.support.deliveries",
    "tests.support.receivers.all_channels",
    "tests.support.hosts",
    "tests.support.prefect_server",
    "tests.support.contrib_postgres",
    "tests.support.pgbouncer",
    "tests.support.installed_warehouse",
    "tests.support.backups",
    "tests.support.replication",
    "tests.support.shifted_clock",
    "tests.support.small_disk",
]


def pytest_unconfigure():
    """Leave nothing behind outside the checkout."""
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def fresh_settings():
    """No test sees what another one made of the settings."""
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Let captured output with lone surrogates, which UTF-8 can't carry, pass between processes."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report
