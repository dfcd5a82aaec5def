"""The parameters of run_dbt_models: lists of models in place of options, and all mistakes in one message."""

from pathlib import Path

import pytest

from flows.dbt._arguments import check_arguments
from flows.dbt._form_arguments import form_arguments
from flows.dbt._option_values import DbtArgumentError
from tests.support.attacks import attack

PROJECT = Path(__file__).parents[2] / "dbt_project"


def check(*arguments: str) -> list[str]:
    return check_arguments("run", arguments, PROJECT).argv


def test_all_mistakes_are_named():
    wrong = ("clean", "x", "--threads", "0", "--models", "a\nb", "c", "--nosuch", "--target", "no")
    with pytest.raises(DbtArgumentError) as refused:
        check(*wrong)
    message = str(refused.value)
    named = ["'clean'", "--threads '0'", "the value of --models", "'--nosuch'", "--target 'no'"]
    assert [name for name in named if name not in message] == []
    assert "'x'" not in message
    assert "'c'" not in message


def test_the_form_gives_options():
    options = form_arguments(["staging", "+kpis"], ["tag:slow"], full_refresh=True)
    lists = ["--select", "staging", "+kpis", "--exclude", "tag:slow"]
    assert check(*options) == ["--full-refresh", *lists]
    assert form_arguments(None, [], full_refresh=False) == []


@attack(
    by="API caller",
    what="names of models that begin like options of dbt, in the form's list of models",
    answer="DbtArgumentError that names all of them",
)
def test_the_form_takes_no_options_for_names():
    with pytest.raises(DbtArgumentError) as refused:
        form_arguments(["--target", " -t", "ok"], [""], full_refresh=False)
    message = str(refused.value)
    for named in ("select: '--target' is", "select: ' -t' is", "exclude: '' is"):
        assert named in message
    assert "'ok'" not in message
