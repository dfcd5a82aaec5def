"""Send messages to Slack: through an incoming webhook, or as a bot with threads and files.

A bot posts the messages of a topic into the thread of the first one. The end of an incident is shown in
the channel as well. Files are uploaded before the message is posted and shared in its thread after it,
so that a failed upload repeats no message. A webhook supports neither threads nor files.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage (errors, ``thread_ts``),
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (status codes and texts),
https://docs.slack.dev/apis/web-api/rate-limits (429 with Retry-After).
Reads ``WEBHOOK_*`` settings and the files; writes nothing but messages. Slack removes no duplicates.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import SecretStr

from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.card import card_of
from analytics_worker.delivery.channels.factory import http_channel
from analytics_worker.delivery.channels.slack_api import API_URL, SlackApi, SlackResponse
from analytics_worker.delivery.channels.slack_blocks import slack_message
from analytics_worker.delivery.channels.slack_files import share_files, upload_files
from analytics_worker.delivery.message import OutgoingMessage
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SENT, SendResult, permanent, temporary
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.http import MISSING, HttpResponse, HttpSession, http_session
from analytics_worker.transport.http_backend import check_target
from analytics_worker.transport.webhook_url import parse_url
from blocks.notifications import SlackChannel

# Error texts of Slack itself; the 404 of another server may mean that it is starting.
FINAL_ERRORS = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_payload",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_team",
        "no_text",
        "team_disabled",
        "user_not_found",
    }
)
LAYOUT_ERRORS = frozenset(
    {"invalid_attachments", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
)
THREAD_ERRORS = frozenset(
    {"cannot_reply_to_message", "invalid_thread_ts", "message_not_found", "thread_not_found"}
)


def open_channel(name: str, block: SlackChannel) -> Channel:
    """Return the channel of a block; nothing is opened before its session is.

    Raises:
        PermanentError: the block's address can't be used.
    """
    if block.bot_token and block.channel:
        return _bot(name, block, block.bot_token, block.channel)
    if block.url is None:
        raise PermanentError(f"Channel {name!r} has neither an address nor a bot token.")
    return _webhook(name, block, block.url)


def _webhook(name: str, block: SlackChannel, url: SecretStr) -> Channel:
    target = parse_url(url.get_secret_value())

    @contextmanager
    def session() -> Generator[Sender]:
        with http_session(url.get_secret_value()) as http:
            yield lambda message: _post(http, target.path, message)

    check = partial(check_target, target)
    return http_channel(name, "slack", target.host, session, block.rate, check=check)


def _bot(name: str, block: SlackChannel, token: SecretStr, channel: str) -> Channel:
    @contextmanager
    def session() -> Generator[Sender]:
        with http_session(API_URL) as http:
            api = SlackApi(http, token)
            yield lambda message: _post_as_bot(api, channel, message)

    target = f"{parse_url(API_URL).host} ({channel})"
    opened = http_channel(name, "slack", target, session, block.rate)
    return replace(opened, takes_files=True)


@timed_request("slack")
def _post(http: HttpSession, path: str, message: OutgoingMessage) -> SendResult:
    body = slack_message(message.content, card_of(message.content))
    response = http.post_json(path, body)
    if isinstance(response, HttpResponse) and _body_text(response) in LAYOUT_ERRORS:
        response = http.post_json(path, _without_layout(body))
    return _webhook_result(response) if isinstance(response, HttpResponse) else response


def _webhook_result(response: HttpResponse) -> SendResult:
    known = _body_text(response) if _body_text(response) in FINAL_ERRORS else ""
    if known and not response.succeeded:
        return permanent(f"Slack answered {response.status}: {known}", code=response.status)
    if response.status in MISSING:
        return temporary(f"{response.origin} answered {response.status}", code=response.status)
    return response.result()


def _body_text(response: HttpResponse) -> str:
    return response.body.decode(errors="replace").strip()


def _without_layout(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message as plain text, which Slack accepts even if it refuses the blocks."""
    return {name: value for name, value in body.items() if name not in {"blocks", "attachments"}}


@timed_request("slack")
def _post_as_bot(api: SlackApi, channel: str, message: OutgoingMessage) -> SendResult:
    uploads = upload_files(api, message.files)
    if uploads.failure:
        return uploads.failure
    attached = {name for name in message.files if name not in uploads.refused}
    body = {"channel": channel} | slack_message(message.content, card_of(message.content, attached))
    response = _in_thread(lambda thread: _call(api, {**body, **thread}), message)
    if response.result.status != "sent":
        return response.result
    receipt = _receipt(response.fields)
    channel_id = str(response.fields.get("channel", channel))
    shared = share_files(api, uploads.files, channel_id, receipt["thread_ts"])
    reasons = [*uploads.refused.values(), *([] if shared.status == "sent" else [shared.detail])]
    return replace(SENT, receipt=receipt, detail="; ".join(reasons))


def _call(api: SlackApi, body: Mapping[str, Any]) -> SlackResponse:
    response = api.call("chat.postMessage", body)
    if response.error in LAYOUT_ERRORS:
        return api.call("chat.postMessage", _without_layout(body))
    return response


def _in_thread(
    post: Callable[[Mapping[str, Any]], SlackResponse], message: OutgoingMessage
) -> SlackResponse:
    """Post as a reply to the topic's first message, or as a new message if that was deleted."""
    root = message.thread.get("thread_ts") or message.thread.get("ts")
    if not root:
        return post({})
    ends = message.content.incident_action == "resolve"
    response = post({"thread_ts": root, "reply_broadcast": ends})
    return post({}) if response.error in THREAD_ERRORS else response


def _receipt(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return this message's ``ts`` and that of its thread: replies never refer to a reply."""
    ts = str(fields.get("ts", ""))
    posted = fields.get("message")
    thread = posted.get("thread_ts") if isinstance(posted, dict) else None
    return {"ts": ts, "thread_ts": str(thread or ts)}
