"""Name runs in words: from their parameters when they start, and from their result when they end.

Reads the current run; writes its name. What callers send may be in a name, so it is one line of at most 80
characters without passwords. A name never ends or changes a run (docs/decisions/run-names.md).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from analytics_worker.text import first_of, one_line

NameOf = Callable[[Mapping[str, Any], datetime], str]
"""Returns the name of a run from its parameters, as the caller sent them, and the time when it is due."""
Outcome = Callable[[Any], str | None]
"""Returns what a result adds to the name of its run; None if nothing is worth a request."""

MAX_LENGTH = 80
MAX_NAMES = 4
REQUEST_SECONDS = 5.0
_OUTCOME_LENGTH = MAX_LENGTH // 2
_KEPT_LENGTH = MAX_LENGTH - _OUTCOME_LENGTH - 5
"""How much of a name is left beside the longest outcome."""
_GENERATED = re.compile(r"[A-Za-z]+(-[A-Za-z]+){1,2}")
"""Names that Prefect and its UI invent, such as ``ivory-pony`` and ``Ivory-Pony``."""
_SECRET = re.compile(
    r"(?<=//)[^/\s@]*@|(?<=password=)[^\s&]+|(?<=token=)[^\s&]+|(?<=secret=)[^\s&]+|(?<=key=)[^\s&]+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RunName:
    """The name of the runs of a flow."""

    start: str | NameOf

    def __call__(self) -> str:
        """Return the name of the current run, as Prefect's engine asks for it."""
        context = FlowRunContext.get()
        run = context.flow_run if context else None
        return self.of_run(run) if run else "run"

    def of_run(self, run: FlowRun) -> str:
        """Return the name of a run that starts, or starts again; one that its caller chose is kept."""
        name = self.from_parameters(run)
        is_replaced = _GENERATED.fullmatch(run.name) or _has_outcome(run.name, name)
        return name if is_replaced else run.name

    def from_parameters(self, run: FlowRun) -> str:
        """Return the name that the parameters of a run give it."""
        if isinstance(self.start, str):
            return self.start
        expected = run.expected_start_time  # of Prefect, whose type warns of being used
        due = datetime.fromtimestamp(expected.timestamp(), UTC) if expected else datetime.now(UTC)
        return safe_name(_attempt(self.start, run.parameters, due) or "") or run.name

    def add_outcome(self, outcome: Outcome, result: Any) -> None:
        """Add the outcome to the name of the current run, with one request; keep a name that its caller chose."""
        context = FlowRunContext.get()
        run = context.flow_run if context else None
        if context is None or run is None or run.name != self.from_parameters(run):
            return
        added = _attempt(outcome, result)
        if added and isinstance(context.client, SyncPrefectClient):
            _rename(context.client, run, with_outcome(run.name, added))


def safe_name(text: str, limit: int = MAX_LENGTH) -> str:
    """Return the text as a name: one short line, without passwords."""
    return one_line(_SECRET.sub("…", text[: MAX_LENGTH * 10]), limit)


def with_outcome(name: str, outcome: str) -> str:
    """Return ``alerts: 2 firing of 34``; if the name has a colon, ``dbt run: kpis (1 failed)``."""
    begin, end = (" (", ")") if ":" in name else (": ", "")
    added = safe_name(outcome, _OUTCOME_LENGTH)
    beginning = one_line(name, MAX_LENGTH - len(begin) - len(added) - len(end))
    return f"{beginning}{begin}{added}{end}"


def listed(names: object) -> str:
    """Return names that a caller sent, the first ones only: ``staging, kpis``."""
    given = names if isinstance(names, Iterable) and not isinstance(names, str) else [names]
    texts = [str(each) for each in given]
    return first_of(texts, MAX_NAMES)


def _has_outcome(current: str, name: str) -> bool:
    """Whether it is the name with an outcome, as an earlier attempt of the run may have left it."""
    kept = name[:_KEPT_LENGTH]
    is_cut = len(name) > _KEPT_LENGTH
    return current.startswith(kept) and (is_cut or current[len(kept) :].startswith((": ", " (")))


def _attempt(function: Callable[..., str | None], *values: Any) -> str | None:
    """Return what the function returns; None if it fails: parameters may be anything, and a name ends no run."""
    try:
        return function(*values)
    except Exception:  # noqa: BLE001
        return None


def _rename(client: SyncPrefectClient, run: FlowRun, name: str) -> None:
    """Write the name; without an answer, the run keeps the one that it has."""
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            client.request(
                "PATCH",
                "/flow_runs/{id}",
                path_params={"id": run.id},
                json={"name": name},
                timeout=REQUEST_SECONDS,
            )
    except (httpx.HTTPError, OSError) as error:
        get_run_logger().debug("the run is not renamed: %r", error)
        return
    run.name = name
