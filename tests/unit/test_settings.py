"""Settings are read once, from three sources, and invalid ones are refused by name."""

import os
import subprocess
import sys

import pytest

from analytics_worker.database.connections import (
    MissingDatabaseError,
    parse_url,
    reader_url,
    warehouse_url,
)
from analytics_worker.errors import PermanentError
from analytics_worker.settings import InvalidSettingError, project_root, settings
from tests.support.attacks import attack


def test_the_environment_takes_precedence_over_stack_env(tmp_path, monkeypatch):
    (tmp_path / "stack.env").write_text("DATABASE_URL=postgresql://a@h/stack\nLOG_DIR=from-stack\n")
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.delenv("LOG_DIR")
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@h/environment")
    assert warehouse_url().database == "environment"
    assert settings().log_dir == project_root() / "from-stack"


def test_an_empty_variable_does_not_override_stack_env(tmp_path, monkeypatch):
    (tmp_path / "stack.env").write_text("DATABASE_URL=postgresql://a@h/stack\n")
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("PROMETHEUS_PORT", "")
    assert warehouse_url().database == "stack"
    assert settings().prometheus_port == 8000


def test_a_stack_is_found_in_the_state_folder_of_the_env_file(tmp_path, monkeypatch):
    root = tmp_path / "checkout"
    (root / "state").mkdir(parents=True)
    (root / ".env").write_text("STATE_DIR=state\n")
    (root / "state/stack.env").write_text("DATABASE_URL=postgresql://a@h/stack\n")
    monkeypatch.delenv("STATE_DIR")
    for module in ("analytics_worker.settings", "analytics_worker.settings.types"):
        monkeypatch.setattr(f"{module}.project_root", lambda: root)
    assert settings().state_dir == root / "state"
    assert warehouse_url().database == "stack"


def test_logs_and_reports_are_in_the_state_folder_unless_they_are_set(monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.delenv("LOG_DIR", raising=False)
    monkeypatch.setenv("REPORT_OUTPUT_DIR", "elsewhere")
    assert settings().log_dir == tmp_path / "logs"
    assert settings().report_output_dir == project_root() / "elsewhere"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PROMETHEUS_PORT", "eight thousand", "a whole number"),
        ("PROMETHEUS_PORT", "-3", "a number greater than 0"),
        ("SERVER_LOGIN", "maybe", "auto, on or off"),
        ("ALERT_EMAIL_TLS", "ssl", "starttls, tls or none"),
        ("WORKER_RUN_MEMORY_LIMIT_MB", "lots", "a whole number of megabytes, or off"),
        ("WORKER_ALLOW_JOB_OVERRIDES", "maybe", "on or off"),
    ],
)
def test_a_bad_value_is_refused_by_name(monkeypatch, name, value, expected):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettingError) as refused:
        settings()
    assert str(refused.value) == f"{name}={value!r} is not valid; expected {expected}"


def test_a_value_that_a_check_refuses_has_the_message_of_the_check(monkeypatch):
    monkeypatch.setenv("ALERT_TIMEZONE", "Europe/Berln")
    with pytest.raises(InvalidSettingError) as refused:
        settings()
    expected = (
        "ALERT_TIMEZONE: 'Europe/Berln' is not a valid time zone; expected an IANA name such as"
    )
    assert str(refused.value).startswith(expected)


@pytest.fixture
def other_account():
    """Be one that may not read everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield
    if is_root:
        os.seteuid(0)


@pytest.mark.parametrize("of_another", ["folder", "file"])
def test_the_state_folder_of_another_account_is_refused_with_the_fix(
    monkeypatch, tmp_path_factory, of_another, request
):
    folder = tmp_path_factory.mktemp("another")
    for each in [folder, *list(folder.parents)[:2]]:
        each.chmod(0o755)
    (folder / "stack.env").write_text("PREFECT_API_URL=http://127.0.0.1:4200/api\n")
    (folder / "stack.env").chmod(0)
    folder.chmod(0 if of_another == "folder" else 0o755)
    monkeypatch.setenv("STATE_DIR", str(folder))
    request.getfixturevalue("other_account")
    with pytest.raises(InvalidSettingError) as refused:
        settings()
    file = folder / "stack.env"
    expected = f"{file} can't be read (Permission denied): set STATE_DIR to a folder of yours"
    assert str(refused.value) == expected


@attack(by="local user", what="A secret in the error about it", answer="its value is not shown")
@pytest.mark.parametrize("text", ["canary", '{"finance": ["canary"]}', '["canary"]'])
def test_a_bad_secret_is_refused_without_repeating_it(monkeypatch, text):
    monkeypatch.setenv("READER_DATABASE_URLS", text)
    with pytest.raises(InvalidSettingError, match="READER_DATABASE_URLS is not valid") as refused:
        settings()
    assert "canary" not in str(refused.value)
    assert "expected JSON such as" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "mode"), [("true", "on"), ("Yes", "on"), ("1", "on"), ("no", "off"), ("0", "off")]
)
def test_a_switch_takes_the_usual_words(monkeypatch, text, mode):
    monkeypatch.setenv("SERVER_LOGIN", text)
    monkeypatch.setenv("WORKER_ALLOW_JOB_OVERRIDES", text)
    assert settings().server_login == mode
    assert settings().worker_allow_job_overrides == (mode == "on")


@pytest.mark.parametrize(
    "command",
    [
        ("analytics_worker.cli", "up"),
        ("analytics_worker.cli", "doctor"),
        ("analytics_worker.cli", "worker"),
        ("analytics_worker.exporter",),
        ("analytics_worker.server", "4999"),
    ],
    ids=" ".join,
)
def test_a_typo_is_one_line_of_every_process(monkeypatch, command):
    monkeypatch.setenv("SERVER_LOGIN", "maybe")
    done = subprocess.run(
        [sys.executable, "-m", *command], check=False, capture_output=True, text=True
    )
    line = "error: SERVER_LOGIN='maybe' is not valid; expected auto, on or off\n"
    assert (done.returncode, done.stderr) == (1, line)


@attack(
    by="local user",
    what="passwords of the settings in a log or traceback",
    answer="not shown",
)
def test_secrets_are_not_shown(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:canary@h/d")
    monkeypatch.setenv("ALERT_EMAIL_PASSWORD", "canary")
    assert "canary" not in repr(settings())


def test_lists_are_comma_separated(monkeypatch):
    monkeypatch.setenv("ANALYTICS_SCHEMAS", "one, two")
    assert settings().analytics_schemas == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "limit"), [("off", 0), ("0", 0), ("no", 0), ("900", 900), ("", None)]
)
def test_the_memory_limit_can_be_disabled(monkeypatch, text, limit):
    monkeypatch.setenv("WORKER_RUN_MEMORY_LIMIT_MB", text)
    assert settings().worker_run_memory_limit_mb == limit


def test_code_folders_are_paths_below_the_project_unless_absolute(monkeypatch):
    monkeypatch.setenv("WORKER_CODE_FOLDERS", "/srv/flows, team,")
    assert [str(f) for f in settings().worker_code_folders] == [
        "/srv/flows",
        str(project_root() / "team"),
    ]


def test_variables_of_celery_name_their_replacements(monkeypatch):
    monkeypatch.setenv("FLOWER_PORT", "5555")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://localhost")
    lines = settings().replaced_variables()
    assert [line.split(":")[0] for line in lines] == ["CELERY_BROKER_URL", "FLOWER_PORT"]
    assert "Prefect UI" in lines[1]


def test_a_missing_database_names_the_fix(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    with pytest.raises(MissingDatabaseError, match="make up"):
        warehouse_url()


@pytest.mark.parametrize(
    "url", ["mysql://u:canary@h/d", "not a url canary", "postgresql://u:canary@h:port/d"]
)
def test_an_invalid_database_url_is_refused_without_quoting_it(url):
    with pytest.raises(PermanentError, match="postgresql://user:password@host") as refused:
        parse_url(url)
    assert "canary" not in str(refused.value)


def test_the_reader_has_its_own_password(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://owner:secret@h/d")
    url = reader_url()
    assert url.drivername == "postgresql+psycopg2"
    assert url.username == "analytics_reader"
    assert url.password
    assert url.password != "secret"


def test_importing_everything_reads_no_environment_and_opens_nothing():
    code = (
        "import sys, importlib;"
        "sys.addaudithook(lambda e, a: (_ for _ in ()).throw(SystemExit(e)) if e in"
        " ('sqlite3.connect', 'socket.connect') else None);"
        "[importlib.import_module(m) for m in ('analytics_worker.database.connections', 'analytics_worker.circuit_breaker',"
        " 'analytics_worker.prefect_support.runs', 'analytics_worker.prefect_support.deployments', 'flows.analytics', 'flows.dbt')];"
        "from analytics_worker.settings import settings;"
        "sys.exit(settings.cache_info().currsize)"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert completed.returncode == 0, completed.stderr
