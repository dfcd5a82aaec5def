"""Arguments of the command line that are no text are refused before a command sees them."""

import subprocess
import sys

import pytest
from typer.main import get_command

from analytics_worker.cli import app


def test_an_argument_that_is_no_text_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        get_command(app).main(["dbt", "history", "a\udcffb"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: Invalid value: 'a\\udcffb' is not UTF-8.\n"


@pytest.mark.parametrize("streams", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["analytics_worker.cli", "analytics_worker.cli.prefect"])
def test_a_closed_output_is_no_error(command: str, streams: str):
    program = f"import sys; from {command} import main; sys.argv[0] = 'x'; main()"
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" --version {streams}', sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (0, "")
