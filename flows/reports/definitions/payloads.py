"""Reports that arrive as data: what callers of the Celery worker sent, as a report of ours.

Reads nothing, writes nothing. Keys that are not needed are ignored, because callers send whole rows;
keys of a report in definitions/reports.yml (``parameters``, ``queries``, ``charts`` …) may be there, too.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line
from flows.reports.definitions.model import Report
from flows.reports.definitions.validation import problems
from flows.reports.formats import FormatError, format_named
from flows.reports.output.recipients import RecipientError, check_allowed, check_recipients
from flows.reports.scheduling.periods import SCHEDULE_TYPES

_OWN_KEYS = set(Report.model_fields) - {"name", "sql", "format", "recipients", "schedule"}
_IGNORED = {"after", "enabled", "catch_up"}


class ReportRequestError(PermanentError):
    """The data can't be used; says which key and what to write."""


def requested(data: Mapping[str, Any], where: str) -> Report:
    """The report that ``report_data`` or ``report_config`` asks for.

    Raises:
        ReportRequestError: something is missing or wrong.
    """
    content = {key: value for key, value in data.items() if key in _OWN_KEYS - _IGNORED}
    content["name"] = _name(data, where)
    query = data.get("query", data.get("sql"))
    if query is not None:
        content["sql"] = query
    if not content.get("queries") and not content.get("sql"):
        raise ReportRequestError(f"{where}.query is missing: write one SELECT")
    content["format"] = _formats(data.get("format", "csv"), where)
    content["recipients"] = data.get("recipients") or []
    content["schedule"] = _schedule(data, where)
    try:
        report = Report.model_validate(content)
    except ValidationError as error:
        raise ReportRequestError("; ".join(_sentences(error, where))) from None
    _check(report, where)
    return report


def _check(report: Report, where: str) -> None:
    found = [text for _, text in problems(report)]
    if found:
        raise ReportRequestError(f"{where}: {'; '.join(found)}")
    try:
        check_recipients(report.recipients)
    except RecipientError as error:
        raise ReportRequestError(f"{where}.recipients: {error}") from None
    try:  # the owner is sent errors, which may quote data
        check_allowed([report.owner] if report.owner else [])
    except RecipientError as error:
        raise ReportRequestError(f"{where}.owner: {error}") from None


def _name(data: Mapping[str, Any], where: str) -> str:
    name = data.get("name") or data.get("id")
    if not isinstance(name, str | int):
        raise ReportRequestError(f"{where}.name is missing: what should the report be called?")
    text = one_line(str(name), 10_000)
    if not text or len(text) > 200:  # noqa: PLR2004  # as the model says
        raise ReportRequestError(f"{where}.name has {len(str(name)):,} characters; write 1 to 200")
    return text


def _formats(value: Any, where: str) -> list[str]:
    names = value if isinstance(value, list) else [value]
    try:
        return [format_named(str(name)).name for name in names]
    except FormatError as error:
        raise ReportRequestError(f"{where}.format: {error}") from None


def _schedule(data: Mapping[str, Any], where: str) -> str:
    """Of a row of the original, which period it is about; none if it does not say."""
    known = (*SCHEDULE_TYPES, "manual")
    schedule = str(data.get("schedule_type") or data.get("schedule") or "manual")
    if schedule not in known:
        raise ReportRequestError(
            f"{where}.schedule_type {schedule!r} is unknown; there are {', '.join(known)}"
        )
    return schedule


def _sentences(error: ValidationError, where: str) -> list[str]:
    return [
        f"{where}.{'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    ]
