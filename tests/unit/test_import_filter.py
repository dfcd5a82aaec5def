"""The grammar of IRIs is not loaded with Prefect, and can be loaded by other code."""

import subprocess
import sys

PROGRAM = """
import sys
import analytics_worker
import prefect.main
import jsonschema
assert "jsonschema._format" in sys.modules
print("rfc3987_syntax" in sys.modules, "lark" in sys.modules)
jsonschema.validate({"a": "b"}, {"properties": {"a": {"format": "iri"}}}, format_checker=jsonschema.FormatChecker())
import rfc3987_syntax
print(rfc3987_syntax.is_valid_syntax("iri", "https://example.com/ä"))
"""


def test_prefect_is_loaded_without_the_grammar_of_iris():
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "False", "True"]
