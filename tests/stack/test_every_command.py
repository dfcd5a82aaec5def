"""Every command and every service that does not answer: a line and an exit code, never a traceback.

The commands are those of the parser: a new one without an example here fails the first test.
"""

import os

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from analytics_worker.cli import COMMANDS, SERVING, LazyGroup, app
from analytics_worker.cli.errors import error_message
from analytics_worker.database import connections
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.cluster import OWNER
from tests.support.ports import free_port
from tests.support.postgres import administer, database_on

FILES = ("--definitions", "FOLDER")
DEFINITIONS = {
    "alerts.yml": """alerts:
  - name: sales
    sql: select 20 as value
    operator: ">"
    threshold: 10
    channels: [email]
""",
    "thresholds.yml": "thresholds: []\n",
    "reports.yml": """reports:
  - name: sales
    sql: select 1 as n
    schedule: daily
    recipients: [ann@example.com]
    owner: o@example.com
""",
}
EXAMPLES = {
    "status": [],
    "doctor": [],
    "deploy": [],
    "migrate": [],
    "backup": ["FOLDER/backup"],
    "restore": ["FOLDER"],
    "sample": ["--scale", "0.002"],
    "sample ": ["--tick"],
    "env": [],
    "channels": [],
    "channels test": ["email", "--to", "ann@example.com"],
    "alerts validate": FILES,
    "alerts diff": FILES,
    "alerts sync": FILES,
    "alerts test": ["sales", *FILES],
    "alerts test ": ["sales", "--send", *FILES],
    "alerts backtest": ["sales", "--since", "1h", *FILES],
    "alerts silence": ["sales"],
    "alerts status": [],
    "dbt diff": [],
    "dbt history": ["opportunities"],
    "lineage": ["raw.opportunities"],
    "trust": ["analytics.pipeline_kpis"],
    "incidents list": ["--resolved", "7d"],
    "incidents show": ["0a1b"],
    "incidents ack": ["0a1b"],
    "incidents assign": ["0a1b", "ann@example.com"],
    "incidents snooze": ["0a1b", "2h"],
    "incidents comment": ["0a1b", "The load is late."],
    "promises": [],
    "promises ": ["--json"],
    "health": ["server"],
    "reports validate": FILES,
    "reports diff": FILES,
    "reports sync": FILES,
    "reports run": ["sales", *FILES],
    "reports resend": ["1"],
    "reports held": [],
    "reports held ": ["--json"],
}
"""Arguments of each command; a space after its name makes another example."""
NEEDED = {*EXAMPLES} - {"env", "alerts validate", "reports validate"}
"""The commands that can't succeed without the database."""
NEEDED_BESIDES = {
    "deploy",
    "doctor",
    "status",
    "channels",
    "channels test",
    "alerts test ",
    "health",
}
"""The commands that can't succeed without the Prefect API or the mail server."""
MAX_LINES = 5


def paths(command, path=()):
    """Every command of the parser that does something, as a path of names."""
    subcommands = getattr(command, "commands", {})
    if not subcommands or command.invoke_without_command:
        yield " ".join(path)
    for name in subcommands:
        child = command.get_command(None, name)
        yield from paths(child, (*path, name))


def test_every_command_of_the_parser_has_an_example():
    found = set()
    for name in COMMANDS:
        command = LazyGroup().get_command(None, name)
        found |= set(paths(command, (name,)))
    # `up` and `server` bring their services (test_refusals.py, test_server_alone.py); `worker` waits for them (below)
    assert found == {name.strip() for name in EXAMPLES} | SERVING


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the definitions."""
    path = tmp_path_factory.mktemp("definitions")
    for name, text in DEFINITIONS.items():
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def database(postgres, template_database):
    """A migrated database of this module: commands that work may change it."""
    copy = "create database {name} owner {owner} template {template}"
    administer(postgres, copy, name="commands", owner=OWNER, template=template_database)
    return database_on(postgres, "commands")


@pytest.fixture
def unavailable(tmp_path, monkeypatch):
    """No database, API or mail server answers."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # commands set variables there
    address = f"http://127.0.0.1:{free_port()}/api"
    variables = {
        "STATE_DIR": str(tmp_path),
        "DATABASE_URL": f"postgresql://me:password@127.0.0.1:{free_port()}/sales",
        "PREFECT_API_URL": address,
        "ALERT_EMAIL_HOST": "127.0.0.1",
        "ALERT_EMAIL_PORT": str(free_port()),
        "ALERT_EMAIL_TLS": "none",
        "ALERT_EMAIL_FROM": "alerts@example.com",
        "ALERT_EMAIL_TO": "ann@example.com",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    connections.dispose()
    with temporary_settings({PREFECT_API_URL: address}):
        yield
    connections.dispose()


def run(example, folder):
    """Run the command; what it did."""
    arguments = [word.replace("FOLDER", str(folder)) for word in EXAMPLES[example]]
    result = CliRunner().invoke(app, [*example.split(), *arguments])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert "Traceback" not in result.output
    assert "unexpected" not in result.output
    said = [line for line in result.stderr.splitlines() if not line.startswith("  ")]  # no progress
    assert len(said) <= MAX_LINES, result.stderr
    return result


@pytest.mark.usefixtures("unavailable")
@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_answers(folder, example):
    result = run(example, folder)
    assert result.exit_code == (1 if example in NEEDED else 0), result.output


@pytest.mark.usefixtures("unavailable")
@pytest.mark.parametrize("example", EXAMPLES)
def test_only_the_database_answers(database, folder, monkeypatch, example):
    monkeypatch.setenv("DATABASE_URL", database)
    settings.cache_clear()
    result = run(example, folder)
    if example in NEEDED_BESIDES:
        assert result.exit_code == 1, result.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("statsu", "No such command 'statsu'. Did you mean 'status'?"),
        ("alerts slience", "No such command 'slience'. Did you mean 'silence'?"),
        ("alerts silence --fro 1h", "No such option: --fro"),
        ("reports resend one", "Invalid value for 'RUN'"),
        ("reports run", "Missing argument 'name'"),
        ("--tint", "No such option: --tint"),
    ],
)
def test_wrong_arguments(words, expected):
    result = CliRunner().invoke(app, words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {expected}")
    assert result.stderr.count("\n") == 1
    assert "--help` shows" in result.stderr


@pytest.mark.usefixtures("unavailable")
def test_debug_shows_the_traceback_too():
    result = CliRunner().invoke(app, ["migrate", "--debug"])
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: The database does not answer")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileExistsError(17, "File exists", "/srv/x"), "/srv/x: File exists"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyError("x\ny"), "unexpected KeyError: 'x\\ny'; --debug shows where"),
        (RuntimeError(), "unexpected RuntimeError; --debug shows where"),
    ],
    ids=repr,
)
def test_an_error_of_any_kind_is_a_line(error, line):
    assert error_message(error) == line
