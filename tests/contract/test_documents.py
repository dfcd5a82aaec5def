"""Generated documents match the code."""

import re
import subprocess

import pytest

from analytics_worker.documentation.env_file import env_example
from analytics_worker.documentation.flows import flows_page
from analytics_worker.documentation.metrics import metrics_page
from analytics_worker.documentation.settings import settings_page
from analytics_worker.documentation.support import EMBEDDED, support_page
from analytics_worker.settings import Settings, project_root
from analytics_worker.stack.postgres.account import packaged_postgres
from tests.support import attacks

REGENERATE = "run `python -m analytics_worker.documentation`"
PAGES = {
    ".env.example": env_example,
    "docs/flows.md": flows_page,
    "docs/metrics.md": metrics_page,
    "docs/settings.md": settings_page,
    "docs/support.md": support_page,
}


@pytest.mark.parametrize("path", PAGES)
def test_is_up_to_date(path):
    assert (project_root() / path).read_text() == PAGES[path](), REGENERATE


def test_every_variable_is_described():
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_the_list_of_attacks_is_up_to_date():
    assert attacks.PAGE.read_text() == attacks.page(), "run `python -m tests.support.attacks`"


def test_the_tests_of_the_support_page_exist_and_run_with_that_postgresql():
    page = support_page()
    paths = set(re.findall(r"tests/[\w/.]+", page))
    assert len(paths) > 3
    assert not [path for path in paths if not (project_root() / path).exists()]
    postgres = packaged_postgres() / "bin/postgres"
    version = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)
    assert re.search(rf"\b{EMBEDDED}\.", version.stdout)
    setup = (project_root() / "setup-environment").read_text()
    assert "(3, 11) <= sys.version_info < (3, 14)" in setup
    assert "`>=3.11,<3.14`" in page
