"""``.env`` as people and editors leave it: read as it was meant, or refused with its line."""

import subprocess
import sys

import pytest

from analytics_worker.cli.output import name_unread
from analytics_worker.doctor.host import variables
from analytics_worker.settings import (
    EnvFileError,
    InvalidSettingError,
    project_root,
    settings,
    unread_variables,
    user_variables,
)
from analytics_worker.settings.env_file import env_values


@pytest.fixture
def env_file(tmp_path, monkeypatch):
    """The file of a project folder of this test."""
    monkeypatch.setattr("analytics_worker.settings.project_root", lambda: tmp_path)
    return tmp_path / ".env"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            b'LOG_DIR=a\n\nALERT_EMAIL_PASSWORD="hunter2\nREPORT_RETENTION_DAYS=9\n',
            ":3: the line is not",
        ),
        (b"ALERT_EMAIL_FROM='hunter2\nLOG_DIR='b'\n", ":1: the line is not complete"),
        (b"LOG_DIR=a\nDATABASE_URL\n", ":2: 'DATABASE_URL' has no value"),
        (b"LOG_DIR=a\n= b\n", ":2: the line is not valid"),
        (b"LOG_DIR=a\x00b\n", ":1: 'LOG_DIR' contains a NUL"),
        (b"LOG_DIR=a\nALERT_EMAIL_FROM=M\xfcller\n", ":2: not UTF-8 text; save"),
        ("LOG_DIR=a\n".encode("utf-16"), ":1: not UTF-8 text; save"),
    ],
)
@pytest.mark.parametrize("read", [settings, user_variables, unread_variables])
def test_a_half_written_file_is_refused_by_its_line(env_file, content, problem, read):
    env_file.write_bytes(content)
    with pytest.raises(EnvFileError) as refused:
        read()
    assert str(refused.value).startswith(f"{env_file}{problem}")
    assert str(refused.value).isprintable()
    assert "hunter2" not in str(refused.value)  # it may be a password


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfREPORT_RETENTION_DAYS=9\n", b"REPORT_RETENTION_DAYS=9\r\nLOG_DIR=a\r\n",
     b"REPORT_RETENTION_DAYS=9", b"# ours\nexport REPORT_RETENTION_DAYS='9' # days\n"],
    ids=["byte order mark", "Windows", "no line end", "shell"],
)  # fmt: skip
def test_what_editors_write_is_read(env_file, content):
    env_file.write_bytes(content)
    assert settings().report_retention_days == 9


def test_a_value_of_several_lines_is_read(env_file):
    env_file.write_text('KEY="first\nsecond"\nLOG_DIR=a\n')
    assert env_values(env_file) == {"KEY": "first\nsecond", "LOG_DIR": "a"}


def test_only_single_quotes_keep_a_dollar_sign(env_file, monkeypatch):
    """As in a shell: a password may contain one."""
    monkeypatch.setenv("HOME", "/home/me")
    env_file.write_text(
        "ALERT_EMAIL_USER='${HOME}'\nexport ALERT_EMAIL_PASSWORD = '${HOME}'\n"
        'ALERT_EMAIL_FROM="${HOME}@x"\nALERT_EMAIL_TO=${ALERT_EMAIL_FROM}\n'
    )
    expected = {
        "ALERT_EMAIL_USER": "${HOME}",
        "ALERT_EMAIL_PASSWORD": "${HOME}",
        "ALERT_EMAIL_FROM": "/home/me@x",
        "ALERT_EMAIL_TO": "/home/me@x",
    }
    assert env_values(env_file) == expected
    assert settings().alert_email_user == "${HOME}"
    assert settings().alert_email_to == ["/home/me@x"]


def test_a_folder_in_place_of_the_file_is_refused(env_file):
    env_file.mkdir()
    with pytest.raises(InvalidSettingError, match=r"can't be read"):
        settings()


UNKNOWN = """\
REPORT_RETENTION_DAY=9
DATABSE_URL=postgresql://me@host/sales
alert_emial_to=ann@example.com
REPORT_ZZZ=blue
REPORT_RETENTION_DAYS=9
WEBHOOK_ALLOWED_HOSTS=example.com
COMPOSE_PROJECT_NAME=sales
AWS_PROFILE=sales
DBT_HOSTS=a
DBT_TARGET_PTH=a
DBT_TARGET_PATH=a
DBT_OUR_VARIABLE=a
PREFECT_API_URLS=b
PREFECT_API_URL=http://host/api
METRIC_PORT=9000
METRICS_COLOR=blue
OUR_APP_LOG_LEVEL=info
"""


def test_unknown_variables_are_named_with_the_nearest_known_one(env_file, capsys, tmp_path):
    env_file.write_text(UNKNOWN)
    expected = [
        "REPORT_RETENTION_DAY is not a variable of the worker; did you mean REPORT_RETENTION_DAYS?",
        "DATABSE_URL is not a variable of the worker; did you mean DATABASE_URL?",
        "alert_emial_to is not a variable of the worker; did you mean ALERT_EMAIL_TO?",
        "REPORT_ZZZ is not a variable of the worker (docs/settings.md)",
        "DBT_HOSTS is not a variable of the worker or of dbt; did you mean DBT_HOST?",
        "DBT_TARGET_PTH is not a variable of the worker or of dbt; did you mean DBT_TARGET_PATH?",
        "PREFECT_API_URLS is not a variable of the worker or of Prefect; did you mean PREFECT_API_URL?",
        "METRIC_PORT is not a variable of the worker; did you mean PROMETHEUS_PORT?",
    ]
    assert unread_variables() == expected
    name_unread(tmp_path)  # what `validate` says
    assert capsys.readouterr().err.splitlines() == expected
    warned = [found.name for found in variables() if found.level == "warn"]
    assert set(warned) >= {"REPORT_RETENTION_DAY", "DATABSE_URL", "alert_emial_to"}


def test_every_command_says_it_in_one_line(env_file, tmp_path):
    env_file.write_bytes(b"LOG_DIR=M\xfcller\n")
    code = (
        "from pathlib import Path; from analytics_worker import settings;"
        f"settings.project_root = lambda: Path({str(tmp_path)!r});"
        "import sys; sys.argv[1:] = ['alerts', 'diff'];"
        "from analytics_worker.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {env_file}:1: not UTF-8 text; save the file as UTF-8\n"


def test_the_example_has_no_unknown_variable(env_file):
    lines = (project_root() / ".env.example").read_text().splitlines()
    env_file.write_text(
        "\n".join(line.removeprefix("# ") for line in lines if "=" in line and " " not in line[2:])
    )
    assert env_values(env_file)
    assert unread_variables() == []
