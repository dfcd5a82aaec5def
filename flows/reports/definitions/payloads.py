"""Parse reports that arrive as payloads, in the form that callers of the Celery worker sent.

Reads nothing, writes nothing. Unknown keys are ignored, because callers send whole rows. Keys of a report
in definitions/reports.yml (``parameters``, ``queries``, ``charts`` …) are accepted, too.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line
from flows.reports.definitions.model import Report
from flows.reports.definitions.validation import problems
from flows.reports.formats import FormatError, get_format
from flows.reports.output.recipients import RecipientError, check_allowed, check_recipients
from flows.reports.scheduling.periods import SCHEDULE_TYPES

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
        ReportRequestError: a key is missing or not valid.
    """
    content = {key: value for key, value in payload.items() if key in _REPORT_KEYS - _IGNORED_KEYS}
    content["name"] = _name(payload, parameter)
    query = payload.get("query", payload.get("sql"))
    if query is not None:
        content["sql"] = query
    if not content.get("queries") and not content.get("sql"):
        raise ReportRequestError(f"{parameter}.query is missing; expected one SELECT")
    content["format"] = _formats(payload.get("format", "csv"), parameter)
    content["recipients"] = payload.get("recipients") or []
    content["schedule"] = _schedule(payload, parameter)
    try:
        report = Report.model_validate(content)
    except ValidationError as error:
        raise ReportRequestError("; ".join(_messages(error, parameter))) from None
    _check(report, parameter)
    return report


def _check(report: Report, parameter: str) -> None:
    messages = [text for _, text in problems(report)]
    if messages:
        raise ReportRequestError(f"{parameter}: {'; '.join(messages)}")
    try:
        check_recipients(report.recipients)
    except RecipientError as error:
        raise ReportRequestError(f"{parameter}.recipients: {error}") from None
    try:  # the owner is sent errors, which can quote data
        check_allowed([report.owner] if report.owner else [])
    except RecipientError as error:
        raise ReportRequestError(f"{parameter}.owner: {error}") from None


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
    names = value if isinstance(value, list) else [value]
    try:
        return [get_format(str(name)).name for name in names]
    except FormatError as error:
        raise ReportRequestError(f"{parameter}.format: {error}") from None


def _schedule(payload: Mapping[str, Any], parameter: str) -> str:
    """Return the kind of the report's period; manual by default."""
    known = (*SCHEDULE_TYPES, "manual")
    schedule = str(payload.get("schedule_type") or payload.get("schedule") or "manual")
    if schedule not in known:
        raise ReportRequestError(
            f"{parameter}.schedule_type {schedule!r} is not valid; expected {', '.join(known)}"
        )
    return schedule


def _messages(error: ValidationError, parameter: str) -> list[str]:
    return [
        f"{parameter}.{'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    ]
