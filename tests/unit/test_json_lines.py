"""One record is one line of JSON, also if its texts are hostile."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from analytics_worker import json_lines
from analytics_worker.exporter.console import log_line
from analytics_worker.json_lines import LINE_BYTES, JsonFormatter, JsonStream, json_line
from analytics_worker.worker.pool_log_handler import current_pool, log_file, split_by_pool
from tests.support.attacks import attack
from tests.support.header_attacks import HEADER_ATTACKS

HOSTILE = {
    **HEADER_ATTACKS,
    "forged": '"}\n{"time": "now", "level": "INFO", "message": "all is well"}',
    "surrogate": "a lone \ud800 surrogate",
    "separators": "a\u2028b\u2029c\x85d\x0be",
    "huge": "\U0001f600\x1b\u0444" * 500_000,
}
every_text = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())


def parsed(lines: str) -> list[dict[str, Any]]:
    """Every line as strict JSON."""
    found = [json.loads(line) for line in lines.split("\n") if line]
    for line in found:
        "".join(map(str, line.values())).encode()  # no lone surrogate
    return found


def record(message: object, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("flows.x", logging.INFO, "x.py", 1, message, args, None)
    made.__dict__.update(fields)
    return made


@attack(
    by="data",
    what="Line ends, JSON, terminal escapes, lone surrogates or a megabyte in a log line, with LOG_FORMAT=json",
    answer="One line of ASCII and valid JSON with a single message, of at most 16,000 bytes",
)
@every_text
def test_a_record_is_one_line(text: str):
    fields = dict.fromkeys(json_lines.OF_RECORDS, text)
    made = record("%s", text, **fields)
    made.exc_info = (ValueError, ValueError(text), None)
    line = JsonFormatter().format(made)
    assert line.isascii()
    assert len(line) <= LINE_BYTES
    (found,) = parsed(line)
    assert found["logger"] == "flows.x"
    assert not any(
        ord(character) < 32 and character not in "\t\n" for character in found["message"]
    )
    assert text == HOSTILE["huge"] or "ValueError" in found["exception"]


def test_a_short_text_is_unchanged():
    (found,) = parsed(JsonFormatter().format(record("2 of %s", "3 – «ü»")))
    assert found["message"] == "2 of 3 – «ü»"
    assert "exception" not in found


def test_a_huge_message_says_how_long_it_was():
    (found,) = parsed(json_line("INFO", "x", "é" * 100_000))
    assert found["message"].endswith("… (100000 characters)")
    assert found["message"].startswith("é" * 500)


def test_arguments_that_do_not_fit_lose_no_record():
    (found,) = parsed(JsonFormatter().format(record("%d rows of %s", "many")))
    assert found["message"] == "%d rows of %s"


@every_text
def test_printed_lines(text: str):
    target = io.StringIO()
    stream = JsonStream("stdout", io.StringIO(), target)
    print(text, "end", file=stream)
    print("no line end", end="", file=stream)
    stream.finish()
    *_, last = found = parsed(target.getvalue())
    assert last["message"] == "no line end"
    assert {line["logger"] for line in found} == {"stdout"}
    assert all(len(line) <= LINE_BYTES for line in target.getvalue().split("\n"))


def test_threads_print_whole_lines():
    target = io.StringIO()
    stream = JsonStream("stdout", io.StringIO(), target)

    def work(number: int) -> None:
        for _ in range(50):
            stream.write(f"thread {number}\n")

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(parsed(target.getvalue())) == 200


PROGRAM = """
import logging, sys, threading, warnings
from analytics_worker.log_format import use_log_format
use_log_format("worker", worker_name="w")
{}
"""
CASES = {
    "import prefect.main; logging.getLogger('prefect.x').info('hi')": "hi",
    "logging.getLogger('x').warning('hi')": "hi",
    "warnings.warn('hi')": "UserWarning: hi",
    "print('hi')": "hi",
    "threading.Thread(target=lambda: 1 / 0).start()": "uncaught in Thread-1",
    "1 / 0": "uncaught: ZeroDivisionError: division by zero",
    "sys.exit('error: hi')": "hi",
}


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
        timeout=60,
    )


@pytest.mark.parametrize(("code", "message"), CASES.items(), ids=[*CASES])
def test_all_that_a_process_writes_is_json(code: str, message: str):
    ended = run(code, LOG_FORMAT="json")
    assert ended.stdout == ""
    lines = parsed(ended.stderr)
    assert any(message in line["message"] for line in lines), lines
    assert {line["worker_name"] for line in lines} == {"w"}


def test_another_format_is_refused():
    ended = run("", LOG_FORMAT="xml")
    assert "LOG_FORMAT='xml' is not valid; expected text or json" in ended.stderr


def test_text_stays_text(capsys: pytest.CaptureFixture[str]):
    log_line("a problem")
    assert capsys.readouterr().err == "a problem\n"


def test_lines_about_a_pool_are_in_its_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    root, console = logging.Logger("root"), io.StringIO()  # noqa: LOG001  # not the real one
    root.addHandler(logging.StreamHandler(console))
    monkeypatch.setattr(logging, "getLogger", lambda *_: root)
    monkeypatch.setattr(json_lines, "context_fields", [])
    split_by_pool(tmp_path, ["reports"])
    root.warning("about none")
    token = current_pool.set("reports")
    root.warning("about reports")
    current_pool.reset(token)
    root.handlers[-1].close()
    assert console.getvalue() == "about none\n"
    assert log_file(tmp_path, "reports").read_text() == "about reports\n"
