"""Slack: an incoming webhook and the part of the Web API that the channel uses.

Checks what https://docs.slack.dev/reference/block-kit/blocks documents (50 blocks, header 150
characters of plain_text, section text 3000 and 10 fields of 2000, context 10 elements, actions 25, button
text 75 and url 3000), https://docs.slack.dev/reference/block-kit/composition-objects/text-object (type,
verbatim only in mrkdwn, emoji only in plain_text), the escaping of & < > in
https://docs.slack.dev/messaging/formatting-message-text, the arguments of chat.postMessage and of
files.getUploadURLExternal / completeUploadExternal in https://docs.slack.dev/reference/methods, and the
answers in https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
"""

import re
from typing import Any
from urllib.parse import parse_qs

from tests.support.receivers.service import (
    Answer,
    Request,
    Service,
    json_answer,
    require,
    require_known_fields,
    text,
    web_address,
)

TOKEN = "xoxb-canary-token"
CHANNEL = "C0123456789"
HOOK = "/services/T000/B000/canary"

_CONTROL = re.compile(r"[<>]|&(?!amp;|lt;|gt;)")
_MRKDWN = re.compile(r"\*[^*\n]+\*\n")  # the bold label that we write ourselves
_MESSAGE = {
    "text", "blocks", "attachments", "mrkdwn", "unfurl_links", "unfurl_media", "channel",
    "thread_ts", "reply_broadcast",
}  # fmt: skip


class Slack(Service):
    """Posted messages are in ``accepted``; shared files in ``shared``."""

    def __init__(self) -> None:
        super().__init__()
        self.uploaded: dict[str, bytes] = {}
        self.shared: list[dict[str, Any]] = []
        self._names: dict[str, int] = {}

    def handle(self, request: Request) -> Answer:
        if request.path == HOOK:
            self.accepted.append(_message(request.json))
            return Answer(200, b"ok")
        if request.path.startswith("/upload/"):
            return self._upload(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return json_answer(200, {"ok": False, "error": "invalid_auth"})
        methods = {
            "/api/chat.postMessage": self._post,
            "/api/files.getUploadURLExternal": self._upload_url,
            "/api/files.completeUploadExternal": self._share,
        }
        return methods[request.path](request)

    def invalid(self, reason: str) -> Answer:
        if self.requests[-1].path == HOOK:
            return Answer(400, b"invalid_blocks" if "block" in reason else b"invalid_payload")
        return json_answer(200, {"ok": False, "error": "invalid_blocks", "errors": [reason]})

    def _post(self, request: Request) -> Answer:
        body = _message(request.json)
        if body.get("channel") != CHANNEL:
            return json_answer(200, {"ok": False, "error": "channel_not_found"})
        self.accepted.append(body)
        ts = f"1700000000.{len(self.accepted):06}"
        message = {"ts": ts} | ({"thread_ts": body["thread_ts"]} if "thread_ts" in body else {})
        return json_answer(200, {"ok": True, "ts": ts, "channel": CHANNEL, "message": message})

    def _upload_url(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        require_known_fields(form, "arguments", {"filename", "length"})
        file_id = f"F{len(self._names):08}"
        self._names[file_id] = int(form["length"])
        text(form["filename"], "filename", 255)
        return json_answer(
            200, {"ok": True, "upload_url": f"{self.url}/upload/{file_id}", "file_id": file_id}
        )

    def _upload(self, request: Request) -> Answer:
        file_id = request.path.removeprefix("/upload/")
        require("authorization" not in request.headers, "the token belongs to the API only")
        require(len(request.body) == self._names[file_id], "not the announced length")
        self.uploaded[file_id] = request.body
        return Answer(200, f"OK - {len(request.body)}".encode())

    def _share(self, request: Request) -> Answer:
        body = request.json
        require_known_fields(body, "arguments", {"files", "channel_id", "thread_ts"})
        require(all(file["id"] in self.uploaded for file in body["files"]), "file was not uploaded")
        self.shared.append(body)
        return json_answer(200, {"ok": True, "files": body["files"]})


def _message(body: dict[str, Any]) -> dict[str, Any]:
    require_known_fields(body, "message", _MESSAGE)
    _escaped(text(body.get("text"), "text", 40_000))
    blocks = body.get("blocks", [])
    for attachment in body.get("attachments", []):
        require_known_fields(attachment, "attachment", {"color", "fallback", "blocks"})
        require(re.fullmatch("#[0-9a-f]{6}", attachment["color"]), "color")
        _escaped(attachment["fallback"])
        blocks = [*blocks, *attachment["blocks"]]
    require(len(blocks) <= 50, f"{len(blocks)} blocks; expected at most 50")
    for block in blocks:
        _BLOCKS[block["type"]](block)
    return body


def _header(block: dict[str, Any]) -> None:
    require_known_fields(block, "header block", {"type", "text"})
    require(block["text"]["type"] == "plain_text", "block header takes plain_text only")
    _text(block["text"], 150)


def _section(block: dict[str, Any]) -> None:
    require_known_fields(block, "section block", {"type", "text", "fields"})
    require("text" in block or block.get("fields"), "section block has neither text nor fields")
    if "text" in block:
        _text(block["text"], 3000)
    require(len(block.get("fields", [])) <= 10, "section block has more than 10 fields")
    for cell in block.get("fields", []):
        _text(cell, 2000)


def _context(block: dict[str, Any]) -> None:
    require_known_fields(block, "context block", {"type", "elements"})
    require(1 <= len(block["elements"]) <= 10, "context block elements")
    for element in block["elements"]:
        _text(element, 3000)


def _actions(block: dict[str, Any]) -> None:
    require_known_fields(block, "actions block", {"type", "elements"})
    require(1 <= len(block["elements"]) <= 25, "actions block elements")
    for button in block["elements"]:
        require_known_fields(button, "button of a block", {"type", "text", "url"})
        require(
            button["type"] == "button" and button["text"]["type"] == "plain_text", "button block"
        )
        _text(button["text"], 75)
        web_address(button["url"], "button block url")


def _text(value: dict[str, Any], limit: int) -> None:
    kinds = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
    require_known_fields(value, "text object of a block", kinds[value["type"]])
    shown = text(value["text"], "text of a block", limit)
    _escaped(shown)
    if value["type"] == "mrkdwn":
        label = _MRKDWN.match(shown)
        rest = shown[label.end() :] if label else shown
        require(value.get("verbatim") is True, "mrkdwn block looks for names and addresses")
        require(not re.search(r"[*~`]|(?<!\w)_|_(?!\w)|^\s*&gt;", rest), f"block formats {rest!r}")
        require(not re.search(r":[\w+-]+:", re.sub(r"\d\d:\d\d", "", rest)), "emoji in block")
    else:
        require(value.get("emoji") is False, "plain_text block turns :words: into emoji")


def _escaped(shown: str) -> None:
    require(not _CONTROL.search(shown), f"control characters of Slack in {shown[:200]!r}")


_BLOCKS = {"header": _header, "section": _section, "context": _context, "actions": _actions}
