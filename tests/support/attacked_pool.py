"""A pool that a caller of the API attacks, and whether anything of the attacker was executed."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from tests.support.case_runs import Workspace
from tests.support.wait_until import wait_until

SETTING = "WORKER_ALLOW_JOB_OVERRIDES=on"


class Target:
    """A pool that lets one run at a time; commands of the attacker create the marker."""

    def __init__(self, work: Workspace, api: httpx.Client, marker: Path) -> None:
        """Use a pool that a worker serves, and a file that does not exist."""
        self.work = work
        self.api = api
        self.marker = marker

    @property
    def command(self) -> str:
        """What the attacker wants to be executed."""
        return f"touch {self.marker}"

    def send(self, method: str, path: str, body: Any) -> Any:
        """Call the API as any client can."""
        answer = self.api.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def run(self, deployment: UUID, **fields: Any) -> UUID:
        """Queue a run."""
        created = self.send("POST", f"/deployments/{deployment}/create_flow_run", fields)
        return UUID(created["id"])

    def assert_refused(self, run: UUID, *texts: str, setting: bool = True) -> None:
        """The run ended once, as Failed with the reason; the next one of its deployment works."""
        state = self.work.wait(run)
        message = str(state.message)
        expected = (*texts, SETTING) if setting else texts
        missing = [text for text in expected if text not in message]
        assert (state.name, missing) == ("Failed", []), message
        assert "\n" not in message
        assert not self.marker.exists()
        assert self.work.read(run).infrastructure_pid is None
        names = [one.name for one in self.work.client.read_flow_run_states(run)]
        assert names.count("Pending") == 1
        wait_until(lambda: message in self.work.messages(run), timeout=20)

    def assert_works(self, deployment: UUID) -> None:
        """A run that asks for nothing ends well."""
        assert self.work.wait(self.run(deployment)).name == "Completed"
