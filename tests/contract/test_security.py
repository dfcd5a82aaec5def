"""SECURITY.md states what stops each attacker, and links the attacks that were carried out."""

import pytest

from analytics_worker.settings import project_root
from tests.support.attacks import ATTACKERS, attacks


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_every_attacker_is_in_the_threat_model(attacker):
    page = (project_root() / "SECURITY.md").read_text()
    section = attacker.lower().replace(" ", "-")
    assert page.count(f"| [{attacker}](docs/attacks.md#{section}) |") == 1


def test_every_attack_is_by_somebody_who_is_known():
    assert {attack.by for attack in attacks()} <= set(ATTACKERS)
