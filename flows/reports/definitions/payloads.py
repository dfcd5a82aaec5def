"""Parse reports that arrive as payloads, in the form that callers of the Celery worker sent.

Reads nothing, writes nothing. Unknown keys are ignored, because callers send whole rows. Keys of a report
in definitions/reports.yml (``parameters``, ``queries``, ``charts`` …) are accepted, too.
"""

from collections.abc import Mapping
from typing import Any, cast

from analytics_worker.definitions.request_problems import RequestProblems
from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line
from flows.reports.definitions.model import Recipients, Report
from flows.reports.definitions.validation import problems as find_problems
from flows.reports.formats import FormatError, get_format
from flows.reports.output.recipients import RecipientError, check_allowed, check_recipients
from flows.reports.scheduling.periods import SCHEDULE_TYPES

_ASSUMED = {"name": "report", "sql": "select 1"}
"""Values in place of required ones that are invalid, so that the others are checked, too."""
_REPORT_KEYS = set(Report.model_fields) - {"name", "sql", "format", "recipients", "schedule"}
_IGNORED_KEYS = {"after", "requires", "enabled", "catch_up", "cron", "at", "weekdays", "period"}


class ReportRequestError(PermanentError):
    """The payload is not valid; says which key and what is expected."""


def report_from_payload(payload: Mapping[str, Any], parameter: str) -> Report:
    """Return the report of a payload.

    Args:
        payload: The value of the flow's parameter.
        parameter: The parameter's name, for error messages.

    Raises:
        ReportRequestError: keys are missing or not valid; names all of them.
    """
    problems = RequestProblems(ReportRequestError)
    content = _content(payload, parameter, problems)
    report = problems.validated(Report, content, parameter, _ASSUMED)
    if report is not None:
        _check(report, parameter, problems)
    problems.raise_any()
    return cast("Report", report)


def _content(
    payload: Mapping[str, Any], parameter: str, problems: RequestProblems
) -> dict[str, Any]:
    """Return the fields of the report; those with mistakes are None."""
    content = {key: value for key, value in payload.items() if key in _REPORT_KEYS - _IGNORED_KEYS}
    content["name"] = problems.checked("name", _name, payload, parameter)
    query = payload.get("query", payload.get("sql"))
    if query is not None:
        content["sql"] = query
    if not content.get("queries") and not content.get("sql"):
        problems.add("sql", f"{parameter}.query is missing; expected one SELECT")
    formats = payload.get("format", "csv")
    content["format"] = problems.checked("format", _formats, formats, parameter)
    content["recipients"] = payload.get("recipients") or []
    content["schedule"] = problems.checked("schedule", _schedule, payload, parameter)
    return content


def _check(report: Report, parameter: str, problems: RequestProblems) -> None:
    """Check what fields mean together; what follows from a field that is known to be invalid is not repeated."""
    known = problems.fields | ({"parameters"} if "sql" in problems.fields else set())
    messages = [text for field, text in find_problems(report) if field not in known]
    if messages:
        problems.add("", f"{parameter}: {'; '.join(messages)}")
    if "recipients" not in problems.fields:
        _check_addresses(f"{parameter}.recipients", problems, report.recipients)
    try:  # the owner is sent errors, which can quote data
        check_allowed([report.owner] if report.owner else [])
    except RecipientError as error:
        problems.add("owner", f"{parameter}.owner: {error}")


def _check_addresses(path: str, problems: RequestProblems, recipients: Recipients) -> None:
    try:
        check_recipients(recipients)
    except RecipientError as error:
        problems.add("recipients", f"{path}: {error}")


def _name(payload: Mapping[str, Any], parameter: str) -> str:
    name = payload.get("name") or payload.get("id")
    if not isinstance(name, str | int):
        raise ReportRequestError(f"{parameter}.name is missing")
    text = one_line(str(name), 10_000)
    if not text or len(text) > 200:  # noqa: PLR2004  # as the model says
        raise ReportRequestError(
            f"{parameter}.name has {len(str(name)):,} characters; expected 1 to 200"
        )
    return text


def _formats(value: Any, parameter: str) -> list[str]:
    names = cast("list[Any]", value) if isinstance(value, list) else [value]
    problems = RequestProblems(FormatError)
    formats = [problems.checked("format", get_format, str(name)) for name in names]
    try:
        problems.raise_any()
    except FormatError as error:
        raise ReportRequestError(f"{parameter}.format: {error}") from None
    return [each.name for each in formats if each]


def _schedule(payload: Mapping[str, Any], parameter: str) -> str:
    """Return the kind of the report's period; manual by default."""
    known = (*SCHEDULE_TYPES, "manual")
    schedule = str(payload.get("schedule_type") or payload.get("schedule") or "manual")
    if schedule not in known:
        raise ReportRequestError(
            f"{parameter}.schedule_type {schedule!r} is not valid; expected {', '.join(known)}"
        )
    return schedule
