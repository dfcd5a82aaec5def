"""Runs read one certificate instead of all where the API has no TLS, unless a setting of Prefect names one."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from pathlib import Path
from analytics_worker.worker.fork_server.child_environment import child_environment
print(child_environment(Path(sys.argv[1])).get("PREFECT_API_SSL_CERT_FILE"))
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"PREFECT_API_URL": "http://127.0.0.1:1/api"}, "{folder}/certificate.pem"),
        (
            {"PREFECT_API_URL": "http://127.0.0.1:1/api", "SSL_CERT_FILE": "/all.pem"},
            "{folder}/certificate.pem",
        ),
        (
            {"PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_API_SSL_CERT_FILE": "/own.pem"},
            "/own.pem",
        ),
        ({"PREFECT_API_URL": "https://prefect.example/api"}, "None"),
    ],
)
def test_the_certificates_of_a_run(tmp_path: Path, given: dict[str, str], expected: str):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        env={"PREFECT_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", **given},
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == expected.format(folder=tmp_path)
