"""Arguments of the command line that are no text are refused before a command sees them."""

import pytest
from typer.main import get_command

from analytics_worker.cli import app


def test_an_argument_that_is_no_text_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        get_command(app).main(["dbt", "history", "a\udcffb"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: Invalid value: 'a\\udcffb' is not UTF-8.\n"
