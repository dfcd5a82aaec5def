"""The bill of materials is valid, and has exactly what the lock has."""

import json
import re

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from analytics_worker.documentation.sbom import document
from analytics_worker.settings import project_root


def test_it_is_valid_against_the_schema_of_cyclonedx():
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document())) is None
    broken = document() | {"components": [{"name": "without a type"}]}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken)) is not None


def test_it_has_the_packages_and_hashes_of_the_lock():
    lock = (project_root() / "requirements.lock").read_text()
    components = document()["components"]
    found = {(each["name"], each["version"]) for each in components}
    assert found == set(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    hashes = [each["content"] for component in components for each in component["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", lock))
    assert all(component["hashes"] and component["licenses"] for component in components)


def test_each_dependency_is_a_component_and_runtime_needs_no_tool():
    content = document()
    scopes = {each["bom-ref"]: each["scope"] for each in content["components"]}
    requires = {each["ref"]: each["dependsOn"] for each in content["dependencies"]}
    assert set(requires) == {*scopes, "analytics-worker"}
    assert {name for names in requires.values() for name in names} <= set(scopes)
    by_name = {name.partition("@")[0]: name for name in scopes}
    assert by_name["sqlalchemy"] in requires[by_name["alembic"]]
    assert {by_name["prefect"], by_name["pytest"]} <= set(requires["analytics-worker"])
    found = [scopes[by_name[name]] for name in ("sqlalchemy", "pytest", "pyarrow")]
    assert found == ["required", "optional", "optional"]


def test_it_names_no_registry_and_no_path():
    text = json.dumps(document())
    assert str(project_root()) not in text
    assert "://" not in text.replace("http://cyclonedx.org/schema/", "")
