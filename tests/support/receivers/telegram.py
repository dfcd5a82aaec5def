"""Telegram's Bot API: sendMessage and sendDocument.

Checks https://core.telegram.org/bots/api: the token in the path, 1 to 4096 UTF-16 units after the
entities are parsed, the tags of https://core.telegram.org/bots/api#html-style (properly nested; every
other < is "can't parse entities"), documents up to 50 MB, reply_parameters; answers with ok, result,
error_code, description and parameters.
"""

import html
import re
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

from tests.support.receivers.service import (
    Answer,
    Request,
    Service,
    json_answer,
    require,
    require_known_fields,
    text,
)

TOKEN = "123456:canary-TOKEN"
CHAT = "-1001234567890"
TAGS = {
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "a",
    "code",
    "pre",
    "blockquote",
}

_TAG = re.compile(r"<(/?)([a-z]+)((?: [a-z]+=\"[^\"<>]*\")?)>")
_FIELDS = {"chat_id", "text", "parse_mode", "link_preview_options", "reply_parameters"}


class Telegram(Service):
    """Messages are in ``accepted`` as they are shown; documents in ``documents``."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[dict[str, Any]] = []
        self.moved_to: str | None = None

    def handle(self, request: Request) -> Answer:
        if not request.path.startswith(f"/bot{TOKEN}/"):
            return _failed(401, "Unauthorized")
        method = request.path.rpartition("/")[2]
        fields = request.json if method == "sendMessage" else _form(request)
        if self.moved_to and fields["chat_id"] != self.moved_to:
            return _failed(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=int(self.moved_to),
            )
        return {"sendMessage": self._message, "sendDocument": self._document}[method](fields)

    def invalid(self, reason: str) -> Answer:
        return _failed(400, f"Bad Request: can't parse entities: {reason}")

    def _message(self, fields: dict[str, Any]) -> Answer:
        require_known_fields(fields, "message", _FIELDS)
        require(fields["parse_mode"] == "HTML", "parse_mode")
        shown = _parsed(fields["text"])
        text(shown, "text", 4096)
        require(isinstance(fields.get("reply_parameters", {}).get("message_id", 0), int), "reply")
        self.accepted.append({**fields, "shown": shown})
        return self._sent()

    def _document(self, fields: dict[str, Any]) -> Answer:
        require(len(fields["document"]) <= 50 * 1000 * 1000, "file is too big")
        self.documents.append(fields)
        return self._sent()

    def _sent(self) -> Answer:
        number = len(self.accepted) + 100
        result = {"message_id": number, "date": 0, "chat": {"id": int(CHAT)}}
        return json_answer(200, {"ok": True, "result": result})


def _failed(code: int, description: str, **parameters: int) -> Answer:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return json_answer(code, body | ({"parameters": parameters} if parameters else {}))


def _parsed(source: str) -> str:
    """Return what is shown, as Telegram's parser does: unknown and unclosed tags are errors."""
    open_tags: list[str] = []
    for closing, name, _ in _TAG.findall(source):
        require(name in TAGS, f'Unsupported start tag "{name}"')
        require(
            not closing or (open_tags and open_tags.pop() == name), f"Unexpected end tag {name}"
        )
        if not closing:
            open_tags.append(name)
    require(not open_tags, f"Can't find end tag {open_tags}")
    untagged = _TAG.sub("", source)
    require("<" not in untagged and ">" not in untagged, "Unsupported start tag")
    require(not re.search(r"&(?!(lt|gt|amp|quot|#x?[0-9a-f]+);)", untagged), "an entity")
    return html.unescape(untagged)


def _form(request: Request) -> dict[str, Any]:
    header = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(header + request.body, policy=HTTP)
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        fields[name] = data if part.get_filename() else data.decode()
        if part.get_filename():
            fields["filename"] = part.get_filename()
    return fields
