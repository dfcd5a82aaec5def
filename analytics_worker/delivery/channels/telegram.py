"""Send messages to a chat of Telegram through a bot, files as documents.

A later message of a topic replies to the one before it. Telegram's HTML supports few tags; only b and a
are used, and data is escaped. A group that became a supergroup has a new ID; the message is sent to that.

Sources: https://core.telegram.org/bots/api (sendMessage: 4096 UTF-16 units; sendDocument: 50 MB;
ResponseParameters: retry_after, migrate_to_chat_id), https://core.telegram.org/bots/faq (limits).
Reads ``WEBHOOK_*`` settings and the files; writes nothing but messages. Telegram removes no duplicates.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.channels.card import card_of
from analytics_worker.delivery.channels.factory import http_channel
from analytics_worker.delivery.channels.telegram_text import telegram_text
from analytics_worker.delivery.escaping import single_line
from analytics_worker.delivery.message import OutgoingMessage
from analytics_worker.quoting import quoted_reply
from analytics_worker.send_result import SENT, SendResult, rate_limited
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.http import (
    DEFAULT_PAUSE_SECONDS,
    TOO_MANY_REQUESTS,
    HttpResponse,
    HttpSession,
    http_session,
)
from analytics_worker.transport.multipart import multipart
from analytics_worker.transport.webhook_url import parse_url
from blocks.notifications import TelegramChannel

API_URL = "https://api.telegram.org"
MAX_FILE_BYTES = 50 * 1000 * 1000
MAX_NAME = 200
MAX_REASON = 200
WRONG_TOKEN = frozenset({401, 404})

Json = Mapping[str, Any]
Call = Callable[[str, Json], HttpResponse | SendResult]


def open_channel(name: str, block: TelegramChannel) -> Channel:
    """Return the channel of a block; nothing is opened before its session is."""

    @contextmanager
    def session() -> Generator[Sender]:
        with http_session(API_URL) as http:
            bot = TelegramBot(http, block.bot_token, block.chat_id)
            yield bot.send

    target = f"{parse_url(API_URL).host} ({block.chat_id})"
    opened = http_channel(name, "telegram", target, session, block.rate)
    return replace(opened, takes_files=True)


class TelegramBot:
    """A bot that writes to one chat."""

    def __init__(self, session: HttpSession, token: SecretStr, chat_id: str) -> None:
        self._session = session
        self._token = token
        self._chat_id = chat_id

    @timed_request("telegram")
    def send(self, message: OutgoingMessage) -> SendResult:
        """Send the text and then its files; a failed file does not repeat the message."""
        files = {name: path for name, path in message.files.items() if _fits(path)}
        body = {
            "text": telegram_text(card_of(message.content, files)),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            **_reply(message.thread),
        }
        result = self._in_chat(self._chat_id, body)
        if result.status != "sent":
            return result
        details = [self._document(result.receipt, name, path) for name, path in files.items()]
        return replace(result, detail="; ".join([result.detail, *details]).strip("; "))

    def _in_chat(self, chat_id: str, body: Json) -> SendResult:
        """Send to a chat, or to the supergroup that it has become."""
        response = self._post("sendMessage", {"chat_id": chat_id, **body})
        if isinstance(response, SendResult):
            return response
        moved_to = _parameters(response.fields()).get("migrate_to_chat_id")
        if moved_to is None or response.succeeded:
            return self._result(response, chat_id)
        response = self._post("sendMessage", {"chat_id": str(moved_to), **body})
        result = (
            self._result(response, str(moved_to))
            if isinstance(response, HttpResponse)
            else response
        )
        advice = f"the chat has a new ID: set chat_id to {moved_to}"
        return replace(result, detail="; ".join(filter(None, [result.detail, advice])))

    def _document(self, receipt: Mapping[str, str], name: str, path: Path) -> str:
        """Send a file as a reply to its message; return the reason of a failure."""
        display_name = single_line(name)[:MAX_NAME] or "file"
        fields = {"chat_id": receipt["chat_id"], "reply_parameters": _reply_to(receipt)}
        try:
            body, size, content_type = multipart(fields, "document", display_name, path)
        except OSError as error:
            return f"{display_name} can't be read: {error.strerror}"
        response = self._session.post_stream(
            self._path("sendDocument"), body, size, {"Content-Type": content_type}
        )
        result = self._result(response, "") if isinstance(response, HttpResponse) else response
        return (
            "" if result.status == "sent" else f"{display_name} was not attached: {result.detail}"
        )

    def _post(self, method: str, body: Json) -> HttpResponse | SendResult:
        return self._session.post_json(self._path(method), body)

    def _path(self, method: str) -> str:
        return f"/bot{self._token.get_secret_value()}/{method}"

    def _result(self, response: HttpResponse, chat_id: str) -> SendResult:
        fields = response.fields()
        if response.succeeded and fields.get("ok") is True:
            return replace(SENT, receipt=_receipt(fields, chat_id))
        if response.status in WRONG_TOKEN:
            return response.refused_credentials("check the bot token")
        token = self._token.get_secret_value()
        description = str(fields.get("description", ""))
        reason = quoted_reply(description, token, name="bot token")[:MAX_REASON]
        if response.status == TOO_MANY_REQUESTS:
            pause_seconds = _parameters(fields).get("retry_after") or response.retry_after_seconds
            return rate_limited(reason, float(pause_seconds or DEFAULT_PAUSE_SECONDS))
        return response._replace(status=502 if response.succeeded else response.status).result(
            reason
        )


def _fits(path: Path) -> bool:
    try:
        return path.stat().st_size <= MAX_FILE_BYTES
    except OSError:
        return False


def _reply(thread: Mapping[str, str]) -> Json:
    """Return the parameters of a reply, if there is an earlier message."""
    if not thread.get("message_id", "").isdecimal():
        return {}
    return {"reply_parameters": _reply_to(thread)}


def _reply_to(receipt: Mapping[str, str]) -> Json:
    return {"message_id": int(receipt["message_id"]), "allow_sending_without_reply": True}


def _receipt(fields: Json, chat_id: str) -> dict[str, str]:
    sent = fields.get("result")
    message_id = sent.get("message_id", 0) if isinstance(sent, dict) else 0
    return {"message_id": str(message_id), "chat_id": chat_id}


def _parameters(fields: Json) -> Json:
    parameters = fields.get("parameters")
    return parameters if isinstance(parameters, dict) else {}
