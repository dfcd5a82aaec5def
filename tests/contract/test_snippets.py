"""The documentation's code blocks are right: they parse, and what they name exists.

Blocks that need a running stack are executed by the acceptance tests (tests/acceptance), SQL by
tests/stack/test_documented_sql.py.
"""

import ast
import importlib
import json
import re
import shlex
from textwrap import indent

import pytest
import yaml
from typer.testing import CliRunner

from analytics_worker.cli import app
from analytics_worker.completeness.trust_file import (
    load_contracts,
    load_promises,
    load_watermarks,
)
from analytics_worker.prefect_support.deployments import (
    deployment_name,
    pools,
    prefect_yaml,
    read,
)
from analytics_worker.settings import project_root
from flows.alerts.rules import yaml_files as rule_files
from flows.reports.definitions import yaml_files as report_files
from tests.support.operator_commands import missing_files, own_arguments
from tests.support.snippets import commands, snippets

LOADERS = {"alerts": rule_files, "thresholds": rule_files, "reports": report_files}
A_RULE = {
    "name": "rule",
    "sql": "select 1 as value",
    "operator": ">",
    "threshold": 2,
    "owner": "a@example.com",
}
OPTION = re.compile(r"^--?[a-z][a-z-]*")


def imports(tree):
    """Modules and the names that a block imports from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


@pytest.mark.parametrize("block", snippets("python"), ids=str)
def test_python_parses_and_its_imports_exist(block):
    for module, names in imports(ast.parse(block.text)):
        loaded = importlib.import_module(module)
        assert not [name for name in names if not hasattr(loaded, name)]


@pytest.mark.parametrize("block", snippets("json"), ids=str)
def test_json_parses(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", snippets("yaml"), ids=str)
def test_definitions_are_valid(block, tmp_path):
    document = yaml.safe_load(block.text)
    if isinstance(document, list):  # a rule without the heading of its file
        document = {"thresholds": document}
    if {"watermark", "contracts", "promise"} & document.keys():
        (tmp_path / "trust.yml").write_text(block.text)
        loaders = (load_watermarks, load_contracts, load_promises)
        assert any(load(tmp_path) for load in loaders)
        return
    if not LOADERS.keys() & document.keys():  # a key of a rule
        document = {"thresholds": [A_RULE | document]}
    section = next(key for key in document if key in LOADERS)
    for file in ("alerts", "thresholds", "reports"):
        content = document if file == section else {file: []}
        (tmp_path / f"{file}.yml").write_text(yaml.safe_dump(content))
    assert LOADERS[section].load(tmp_path)


@pytest.mark.parametrize("block", snippets("yml"), ids=str)
def test_deployments_fit_into_prefect_yaml(block, tmp_path):
    file = tmp_path / "prefect.yaml"
    file.write_text(f"{prefect_yaml().read_text()}\n{indent(block.text, '  ')}")
    added = read(file).deployments[-1]
    assert added.name == added.domain == added.work_pool.name
    assert added.concurrency_limit
    assert added.work_pool.job_variables["env"]


@pytest.mark.parametrize("command", commands(), ids=str)
def test_commands_exist(command):
    words = shlex.split(re.sub(r'^eval "\$\((.*)\)"$', r"\1", command.text))
    while "=" in words[0]:  # variables before the command
        words.pop(0)
    program = words[0].rsplit("/", 1)[-1]
    known = {"make": a_target, "analytics-worker": a_command, "prefect": a_deployment}
    if program in known:
        known[program](words[1:])
        return
    assert missing_files(words) == []
    if own := own_arguments(words):
        a_command(own)


def a_target(words):
    """``make up``."""
    makefile = (project_root() / "Makefile").read_text()
    assert all(re.search(rf"^{word}:", makefile, re.MULTILINE) for word in words if "=" not in word)


def a_command(words):
    """``analytics-worker alerts test NAME --send``: the command and its options are in its help."""
    path = [word for word in words[:2] if re.fullmatch(r"[a-z]+", word)]
    for length in (len(path), 1):
        result = CliRunner().invoke(app, [*path[:length], "--help"], env={"COLUMNS": "200"})
        if result.exit_code == 0:
            break
    assert result.exit_code == 0, result.output
    options = [match[0] for word in words if (match := OPTION.match(word))]
    assert not [option for option in options if option not in result.output]


def a_deployment(words):
    """``prefect deployment run FLOW/POOL``, or a worker of a pool."""
    if words[:3] == ["worker", "start", "--pool"]:
        assert words[3] in {pool.name for pool in pools()}
        return
    assert words[:2] == ["deployment", "run"]
    assert deployment_name(words[2]) == words[2]
