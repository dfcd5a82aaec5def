"""The tokens of a statement are the same in every Python, and hostile texts take no time."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress

import pytest

from analytics_worker.database.sql_tokens import UnfinishedError, tokens
from analytics_worker.settings import project_root
from tests.support.attacks import attack
from tests.unit.test_one_statement import HIDDEN

NAMES = ("python3", "python3.11", "python3.12", "python3.13")
FOLDERS = (None, "/usr/bin", "/usr/local/bin")


def runs(python: str) -> bool:
    """Whether it is a Python that the project supports, and not a wrapper without one."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0


FOUND = {shutil.which(name, path=folder) for name in NAMES for folder in FOLDERS}
PYTHONS = [python for python in sorted({each for each in FOUND if each}) if runs(python)]
READ = """
import json, sys, types
sys.modules["analytics_worker.errors"] = types.SimpleNamespace(PermanentError=ValueError)
from analytics_worker.database.sql_tokens import tokens
print(json.dumps([[[t.kind, t.start, t.end] for t in tokens(sql)] for sql in json.load(sys.stdin)]))
"""


@attack(
    by="author",
    what="escapes in E'…' that the regular expressions of Python 3.11.2 took for the end of the text",
    answer="the same tokens in every Python of the machine",
)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_python_reads_the_same_tokens(python: str):
    done = subprocess.run(
        [python, "-c", READ],
        input=json.dumps(HIDDEN),
        capture_output=True,
        text=True,
        check=True,
        cwd=project_root(),
    )
    ours = [[[each.kind, each.start, each.end] for each in tokens(sql)] for sql in HIDDEN]
    assert json.loads(done.stdout) == ours, sys.version


@pytest.mark.parametrize(
    "text", ["e'a", "E'a\\'", "e'a''", "e'a'\n'b", "'a''", '"a""', "$x$ $y$", "$$"]
)
def test_a_text_without_an_end_is_not_taken_for_another(text: str):
    with pytest.raises(UnfinishedError):
        list(tokens(f"select {text}"))


@pytest.mark.parametrize(
    "text",
    [
        "e'" + "''" * 200_000,
        "e'" + "\\'" * 200_000,
        "e'a'\n" + "--'\n" * 200_000 + "x",
        "e'a'" + " \t" * 200_000 + "x",
        "e'a'--" + "--" * 200_000,
        "'" * 400_001,
        '"' * 400_001,
        "$a$" + "$b$" * 200_000,
        ":" * 400_000,
        "a" * 400_000 + "'",
    ],
    ids=range(10),
)
def test_long_hostile_texts_are_read(text: str):
    with suppress(UnfinishedError):
        assert all(each.end <= len(text) for each in tokens(text))
