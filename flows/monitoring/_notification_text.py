"""What people and programs are told about deployments and the database, and one attempt to tell it.

Sends mail, web hooks and Slack messages through the toolkit. A message that is sent again has the same
key, by which receivers know that they have it already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prefect.settings import get_current_settings

from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings
from analytics_worker.text import one_line, value_line
from analytics_worker.transport.mail import Mail, mail_server, parse_address, smtp_session
from analytics_worker.transport.slack_text import slack_escaped
from analytics_worker.transport.webhook import webhook_session

DATABASE = "the analytics database"


@dataclass(frozen=True)
class Message:
    """The same in one line, for people, and for programs."""

    subject: str
    text: str
    content: Mapping[str, Any]


def recipients() -> list[tuple[str, str]]:
    """Who is told: everybody whom the variables ALERT_* name, as channel and address."""
    chosen = settings()
    found = [("email", to) for to in chosen.alert_email_to if to and chosen.alert_email_host]
    found += [("webhook", "webhook")] if chosen.alert_webhook_url else []
    found += [("slack", "slack")] if chosen.alert_slack_url else []
    return found


def deliver(message: Message, channel: str, recipient: str, key: str) -> SendResult:
    """Try once to tell one recipient."""
    chosen = settings()
    try:
        if channel == "email":
            return _mail(message, recipient, key)
        slack = channel == "slack"
        url = chosen.alert_slack_url if slack else chosen.alert_webhook_url
        if url is None:
            return SendResult("permanent", f"{channel} is not configured any more")
        body = {"text": slack_escaped(message.text)} if slack else dict(message.content)
        secret = None if slack else chosen.alert_webhook_secret
        with webhook_session(url, secret, connections=1) as session:
            return session.post(body, key)
    except PermanentError as error:
        return SendResult("permanent", one_line(str(error)))


def _mail(message: Message, recipient: str, key: str) -> SendResult:
    sender = settings().alert_email_from or settings().alert_email_user
    if sender is None:
        return SendResult("permanent", "mails have no sender: set ALERT_EMAIL_FROM")
    mail = Mail(
        message_id=f"<{key}@{parse_address(sender).domain}>",
        sender=sender,
        to=(recipient,),
        subject=message.subject,
        text=message.text,
    )
    with smtp_session(mail_server()) as session:
        return session.send(mail, recipient)


def of_deployment(notice: Mapping[str, Any]) -> Message:
    """A deployment began to fail, or works again."""
    deployment, details = value_line(notice["deployment"]), _shown(notice["details"])
    url = _run_url(details["run_id"])
    if notice["kind"] == "failing":
        subject = one_line(f"[failing] {deployment}: {details['state']}")
        said = _failing(details)
    else:
        subject = one_line(f"[recovered] {deployment} works again")
        said = _recovered(details)
    text = "\n".join([subject, "", *said, "", url]).strip() + "\n"
    event = {"event": f"deployment_{notice['kind']}", "deployment": deployment}
    return Message(subject, text, {**event, **details, "run_url": url, "text": text})


def _shown(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with each text in one line: states and their messages may hold anything."""
    return {k: value_line(v) if isinstance(v, str) else v for k, v in details.items()}


def _failing(details: Mapping[str, Any]) -> list[str]:
    return [
        f"The run that ended {_time(details['ended_at'])} is {details['state']}:",
        f"  {details['message']}",
        "",
        "You hear again when it works; not of each failure.",
    ]


def _recovered(details: Mapping[str, Any]) -> list[str]:
    runs = "1 run" if details["failures"] == 1 else f"{details['failures']} runs in a row"
    return [f"{runs} had failed since {_time(details['since'])}. Now: {details['message']}"]


def _time(instant: str) -> str:
    return f"{instant[:16].replace('T', ' ')} UTC"


def _run_url(run_id: str) -> str:
    """Where the UI shows the run; empty without a UI."""
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{run_id}" if ui else ""


def of_database_away(since: str, reason: str) -> Message:
    """The database does not answer."""
    subject = f"[failing] {DATABASE} is away"
    said = [
        f"It has not answered since {_time(since)}:",
        f"  {value_line(reason)}",
        "",
        "Alerts, reports and dbt fail until it does, and go on by themselves then. Until then nobody",
        "is told of single failing deployments. `analytics-worker doctor` shows more.",
    ]
    return _of_database("database_away", subject, said, since=since, message=value_line(reason))


def of_database_back(since: str, away: timedelta) -> Message:
    """The database answers again."""
    subject = f"[recovered] {DATABASE} is back"
    minutes = max(round(away.total_seconds() / 60), 1)
    said = [f"It had been away for {minutes} min, since {_time(since)}."]
    return _of_database("database_back", subject, said, since=since, minutes=minutes)


def _of_database(event: str, subject: str, said: list[str], **details: Any) -> Message:
    text = "\n".join([subject, "", *said]) + "\n"
    return Message(subject, text, {"event": event, **details, "text": text})
