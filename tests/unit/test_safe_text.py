"""Text from data is shown and not interpreted in logs, terminals, states and metrics."""

import io
import logging
import re
from typing import Any

import pytest
from prefect.logging.formatters import PrefectFormatter
from prefect.logging.handlers import PrefectConsoleHandler
from prometheus_client.parser import text_string_to_metric_families

from analytics_worker.cli.output import echo
from analytics_worker.cli.shell import exit_on_error
from analytics_worker.errors import PermanentError
from analytics_worker.exporter.console import log_line
from analytics_worker.exporter.metric_families import Family
from analytics_worker.exporter.poller import text as exposition
from analytics_worker.prefect_support.results import flow_result, state_of
from analytics_worker.prefect_support.safe_logs import SafeFormatter, protect_logs
from analytics_worker.stack.rotating_log import LogFile
from analytics_worker.stack.terminal import Terminal, fail
from flows.monitoring.health import health_page
from tests.support.attacks import attack
from tests.support.header_attacks import HEADER_ATTACKS, IN_DATABASE

every_attack = pytest.mark.parametrize("text", HEADER_ATTACKS.values(), ids=HEADER_ATTACKS.keys())
OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
FORGED = "ok\n10:00:00.000 | ERROR   | worker - all is lost\x1b]0;owned\x07\x1b[2J\r10:00"


def logged(text: str, error: Exception | None = None) -> list[str]:
    stream = io.StringIO()
    handler = PrefectConsoleHandler(stream=stream)
    handler.setFormatter(PrefectFormatter("%(asctime)s | %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("tests.safe_text")
    logger.addHandler(handler)
    try:
        protect_logs()
        protect_logs()
        assert isinstance(handler.formatter, SafeFormatter)
        logger.error("mail to %s failed", text, exc_info=error)
    finally:
        logger.removeHandler(handler)
    return stream.getvalue().splitlines()


@attack(
    by="data",
    what="A value with line ends, terminal escapes, rich's markup in a log line",
    answer="Escapes are shown as a replacement character; further lines are indented: no record can be forged",
)
@pytest.mark.parametrize(
    "text", [*HEADER_ATTACKS.values(), FORGED], ids=[*HEADER_ATTACKS, "forged"]
)
def test_a_log_line(text):
    first, *others = logged(text)
    assert re.match(r"\d\d:\d\d:\d\d \| mail to ", first)
    assert all(line.startswith("    ") or not line for line in others)
    assert OBEYED.search("\n".join([first, *others])) is None


def test_a_traceback_is_whole_and_indented():
    first, *others = logged("x", ValueError(FORGED))
    assert first.endswith("mail to x failed")
    assert any("ValueError: ok" in line for line in others)
    assert all(line.startswith("    ") for line in others)


@attack(
    by="data",
    what="A value with terminal escapes and rich's markup in the tables and lines of the command line",
    answer="Shown unchanged, escapes as a replacement character",
)
@every_attack
def test_the_terminal(text, capsys):
    terminal = Terminal()
    terminal.step("alerts", text)
    terminal.say(text)
    fail(text)
    echo(text)
    with pytest.raises(BaseException, match="1"), exit_on_error():
        raise PermanentError(text)
    shown = "".join(capsys.readouterr())
    assert OBEYED.search(shown) is None
    if "[red]" in text:
        assert shown.count("[red]EMEA[/]") == 5


@attack(
    by="API caller",
    what="A run's state with rich's markup and terminal escapes in its name, in the tables of `status`",
    answer="Cells are cleaned; names are escaped before they get their color",
)
def test_a_table(capsys):
    Terminal().table("T", ("a", "b"), [("x", "\x1b]0;owned\x07\x1b[2J\rEMEA\nnext")])
    shown = capsys.readouterr().out
    assert OBEYED.search(shown) is None
    assert "EMEA" in shown


@attack(
    by="data",
    what="Terminal escapes that a component quotes, PostgreSQL's log for example, in the files of LOG_DIR",
    answer="A question mark in their place",
)
@every_attack
def test_a_log_file(text, tmp_path):
    log = LogFile(tmp_path / "postgres.log", print)
    log.write(f"ERROR:  invalid input: {text}\n".encode(errors="replace"))
    assert re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", log.path.read_bytes()) is None


@attack(
    by="data",
    what="A value with line ends and escapes in an error, which becomes the message of a run's state",
    answer="One line, escapes as a replacement character",
)
@every_attack
def test_the_message_of_a_state(text):
    message = state_of(flow_result("failed", f"sales: {text}")).message
    assert message is not None
    assert message.startswith("sales:")
    assert OBEYED.search(message) is None
    assert "\n" not in message


@every_attack
def test_a_line_of_the_exporter(text, capsys):
    log_line(text)
    (line,) = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert OBEYED.search(line) is None


@attack(
    by="data",
    what="A name with quotes, backslashes and line ends as the value of a Prometheus label",
    answer="Escaped; Prometheus' own parser reads one sample with exactly that value",
)
@pytest.mark.parametrize("text", IN_DATABASE.values(), ids=IN_DATABASE.keys())
def test_the_label_of_a_metric(text):
    family = Family("test_rows", "gauge", "Rows.", ("name",))
    written = exposition([(family, {(text,): 1.0})]).decode()
    samples = [s for f in text_string_to_metric_families(written) for s in f.samples]
    assert [(s.name, s.labels, s.value) for s in samples] == [
        ("analytics_test_rows", {"name": text}, 1.0)
    ]


@attack(
    by="network",
    what="A mail server's reply with a link, markup and a table cell, in the page that health_check publishes in the UI",
    answer="Escaped Markdown in one line",
)
def test_the_page_of_the_health_check():
    said = "[Login](https://attacker.example) <img src=x>\n| `x` | **y** |"
    result: Any = {
        "name": "mail server",
        "status": "unhealthy",
        "message": said,
        "fix": "Correct ALERT_EMAIL_*.",
        "milliseconds": 1.0,
    }
    shown = health_page([result])
    assert re.search(r"(?<!\\)\[Login|(?<!\\)<img|(?<!\\)\*\*y", shown) is None
    assert len(shown.splitlines()) == 7
