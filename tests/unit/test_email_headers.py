"""Header fields: the same bytes from every Python, and exactly the text back from both parsers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.text import one_line, printable
from analytics_worker.transport.email_headers import (
    MAX_TEXT,
    address_field,
    disposition_field,
    text_field,
)
from tests.support.attacks import attack
from tests.support.header_attacks import HEADER_ATTACKS, shown
from tests.support.header_round_trip import NAMES, round_trip
from tests.support.interpreters import interpreters

ROOT = Path(__file__).resolve().parents[2]
TEXTS = list(HEADER_ATTACKS.values())


def read_by(python: str) -> list[dict[str, object]]:
    """Return what a Python writes and reads, in a process with only the standard library."""
    script = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('tests.support.header_round_trip', run_name='__main__')"
    done = subprocess.run(  # a Python of this machine
        [python, "-I", "-B", "-c", script],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def assert_is_text(text: str, seen: dict[str, object]) -> None:
    plain_server = shown(text, MAX_TEXT)
    assert seen["names"] == [NAMES, NAMES]
    assert seen["body"] == ["body", "body"]
    assert seen["subject"] == [plain_server, plain_server, plain_server]
    name, spec = seen["sender"]  # pyright: ignore[reportGeneralTypeIssues]
    assert spec == "a@b.example"
    # Python's modern parser keeps the spaces between the encoded words of a name.
    assert str(name).replace(" ", "") == plain_server.replace(" ", "")
    # It also takes quotes and brackets off file names; `file_name` writes none (analytics_worker.transport.email_content.file_name).
    if plain_server and not set(plain_server) & set('<>"'):
        assert seen["file"] == [plain_server, plain_server]


@attack(
    by="data",
    what="The texts of the header table, written by each supported Python of the machine, 3.11.7 and 3.12.1 included",
    answer="The same bytes from each; each of its parsers shows the text and no other field",
)
@pytest.mark.parametrize("version", interpreters())
def test_every_python_writes_and_reads_the_same(version):
    written = read_by(interpreters()[version])
    assert [each["head"] for each in written] == [round_trip(text)["head"] for text in TEXTS]
    for text, seen in zip(TEXTS, written, strict=True):
        assert_is_text(text, seen)


@pytest.mark.skipif(len(interpreters()) < 2, reason="only one supported Python on this machine")
def test_more_than_one_python_was_used():
    assert len(interpreters()) > 1
    assert sys.version.split()[0] in interpreters()


@given(text=st.text(max_size=200))
def test_any_text(text):
    assert_is_text(text, round_trip(text))


@given(text=st.text(alphabet="=?utf-8qb_AD\r\n :,;<>\"\\'()ü", max_size=80))
def test_any_text_of_the_signs_of_headers(text):
    assert_is_text(text, round_trip(text))


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (
            "[CRITICAL] r: EMEA at 0.44 (coverage < 0.5)",
            "[CRITICAL] r: EMEA at 0.44 (coverage < 0.5)",
        ),
        ("Umsatz fällt", "=?utf-8?q?Umsatz_f=C3=A4llt?="),
        ("売上が減少", "=?utf-8?b?5aOy5LiK44GM5rib5bCR?="),
        ("what? =? no", "=?utf-8?b?d2hhdD8gPT8gbm8=?="),
        ("a\r\n b\x00", "=?utf-8?b?YSBi77+9?="),
        ("", ""),
    ],
)
def test_a_subject_on_the_wire(text, wire):
    assert text_field("Subject", text) == f"Subject:{' ' if wire else ''}{wire}\r\n"


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("", "a@b.de"),
        ("Ann Lee", "Ann Lee <a@b.de>"),
        ("Lee, Ann", '"Lee, Ann" <a@b.de>'),
        ('Ann "A" \\', '"Ann \\"A\\" \\\\" <a@b.de>'),
        ("Zoë", "=?utf-8?q?Zo=C3=AB?= <a@b.de>"),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <a@b.de>"),
    ],
)
def test_an_address_on_the_wire(name, wire):
    assert address_field("To", [(name, "a@b.de")]) == f"To: {wire}\r\n"


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("report.csv", ' filename="report.csv"'),
        ("ü.csv", " filename*=utf-8''%C3%BC.csv"),
        ('a"; x="b.csv', " filename*=utf-8''a%22%3B%20x%3D%22b.csv"),
        ("ü" * 9, f"\r\n filename*0*=utf-8''{'%C3%BC' * 7};\r\n filename*1*={'%C3%BC' * 2}"),
    ],
)
def test_a_file_name_on_the_wire(name, wire):
    assert disposition_field("attachment", name) == f"Content-Disposition: attachment;{wire}\r\n"


@pytest.mark.parametrize("text", TEXTS, ids=HEADER_ATTACKS)
def test_one_line_is_one_line(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 300
    assert line == line.encode().decode()
    assert one_line(line) == line
    assert printable(printable(text)) == printable(text)


def test_a_line_end_can_be_shown():
    assert one_line("a\r\nb\u2028c", line_end="⏎") == "a⏎b⏎c"
    assert printable("a\r\nb\u2028c\x1b[0m\u202ed") == "a\nb\nc\ufffd[0m\ufffdd"
