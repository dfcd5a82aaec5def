"""Send messages to a chat of Telegram through a bot, files as documents.

A later message of a topic replies to the one before it. Telegram's HTML knows few tags; ours are b and
a, data is escaped. A group that became a supergroup has a new ID, to which the message is sent instead.

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
from analytics_worker.delivery.channels.card import card
from analytics_worker.delivery.channels.opening import http_channel
from analytics_worker.delivery.channels.telegram_text import telegram_text
from analytics_worker.delivery.escaping import single_line
from analytics_worker.delivery.message import OutgoingMessage
from analytics_worker.quoting import quoted_reply
from analytics_worker.send_result import SENT, SendResult, rate_limited
from analytics_worker.telemetry import timed_request
from analytics_worker.transport.http import (
    DEFAULT_PAUSE_SECONDS,
    TOO_MANY_REQUESTS,
    HttpAnswer,
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
Call = Callable[[str, Json], HttpAnswer | SendResult]


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
        """Send the text and then its files; what happens to those repeats no message."""
        files = {name: path for name, path in message.files.items() if _fits(path)}
        body = {
            "text": telegram_text(card(message.content, files)),
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
        answer = self._post("sendMessage", {"chat_id": chat_id, **body})
        if isinstance(answer, SendResult):
            return answer
        moved_to = _parameters(answer.fields()).get("migrate_to_chat_id")
        if moved_to is None or answer.succeeded:
            return self._result(answer, chat_id)
        answer = self._post("sendMessage", {"chat_id": str(moved_to), **body})
        result = self._result(answer, str(moved_to)) if isinstance(answer, HttpAnswer) else answer
        advice = f"the chat has a new ID: set chat_id to {moved_to}"
        return replace(result, detail="; ".join(filter(None, [result.detail, advice])))

    def _document(self, receipt: Mapping[str, str], name: str, path: Path) -> str:
        """Send a file as a reply to its message; return what went wrong."""
        shown = single_line(name)[:MAX_NAME] or "file"
        fields = {"chat_id": receipt["chat_id"], "reply_parameters": _reply_to(receipt)}
        try:
            body, size, content_type = multipart(fields, "document", shown, path)
        except OSError as error:
            return f"{shown} can't be read: {error.strerror}"
        answer = self._session.post_stream(
            self._path("sendDocument"), body, size, {"Content-Type": content_type}
        )
        result = self._result(answer, "") if isinstance(answer, HttpAnswer) else answer
        return "" if result.status == "sent" else f"{shown} was not attached: {result.detail}"

    def _post(self, method: str, body: Json) -> HttpAnswer | SendResult:
        return self._session.post_json(self._path(method), body)

    def _path(self, method: str) -> str:
        return f"/bot{self._token.get_secret_value()}/{method}"

    def _result(self, answer: HttpAnswer, chat_id: str) -> SendResult:
        fields = answer.fields()
        if answer.succeeded and fields.get("ok") is True:
            return replace(SENT, receipt=_receipt(fields, chat_id))
        if answer.status in WRONG_TOKEN:
            return answer.refused_credentials("check the bot token")
        reason = str(fields.get("description", ""))
        token = self._token.get_secret_value()
        shown = quoted_reply(reason, token, name="bot token")[:MAX_REASON]
        if answer.status == TOO_MANY_REQUESTS:
            pause = _parameters(fields).get("retry_after") or answer.retry_after_seconds
            return rate_limited(shown, float(pause or DEFAULT_PAUSE_SECONDS))
        return answer._replace(status=502 if answer.succeeded else answer.status).result(shown)


def _fits(path: Path) -> bool:
    try:
        return path.stat().st_size <= MAX_FILE_BYTES
    except OSError:
        return False


def _reply(thread: Mapping[str, str]) -> Json:
    """Return what makes a message a reply, if there is an earlier one."""
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
