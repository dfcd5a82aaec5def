"""Generated documents match the code."""

import pytest

from analytics_worker.documentation.env_file import env_example
from analytics_worker.documentation.flows import flows_page
from analytics_worker.documentation.metrics import metrics_page
from analytics_worker.documentation.settings import settings_page
from analytics_worker.settings import Settings, project_root
from tests.support import attacks

REGENERATE = "run `python -m analytics_worker.documentation`"
PAGES = {
    ".env.example": env_example,
    "docs/flows.md": flows_page,
    "docs/metrics.md": metrics_page,
    "docs/settings.md": settings_page,
}


@pytest.mark.parametrize("path", PAGES)
def test_is_up_to_date(path):
    assert (project_root() / path).read_text() == PAGES[path](), REGENERATE


def test_every_variable_is_described():
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_the_list_of_attacks_is_up_to_date():
    assert attacks.PAGE.read_text() == attacks.page(), "run `python -m tests.support.attacks`"
