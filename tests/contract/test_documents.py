"""Generated documents say what the code does."""

import pytest

from analytics_worker.generate_docs import env_example, flows_page
from analytics_worker.settings import Settings, project_root
from tests.support import attacks


@pytest.mark.parametrize(
    ("path", "made"), [(".env.example", env_example), ("docs/flows.md", flows_page)]
)
def test_is_up_to_date(path, made):
    assert (project_root() / path).read_text() == made(), (
        "run `python -m analytics_worker.generate_docs`"
    )


def test_every_variable_is_described():
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_the_list_of_attacks_is_up_to_date():
    assert attacks.PAGE.read_text() == attacks.page(), "run `python -m tests.support.attacks`"
