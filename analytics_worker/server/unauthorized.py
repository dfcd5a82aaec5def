"""Name the variable for the login in each 401 of Prefect's application; its client prints the body.

Reads nothing, writes nothing.
"""

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNAUTHORIZED = 401
BODY = json.dumps(
    {
        "exception_message": "Unauthorized: this server requires a login. Set PREFECT_API_AUTH_STRING to"
        ' USER:PASSWORD; `eval "$(analytics-worker env)"` does it in the folder of `make up`.'
    }
).encode()
BODY_HEADERS = frozenset({b"content-type", b"content-length", b"content-encoding"})


class UnauthorizedExplanation:
    """ASGI middleware that replaces the bodies of answers with status 401."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer back."""
        send_answer = _with_explanation(send) if scope["type"] == "http" else send
        await self._app(scope, receive, send_answer)


def _with_explanation(send: Send) -> Send:
    replaced = False

    async def sending(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start":
            replaced = message["status"] == UNAUTHORIZED
            await send({**message, "headers": _headers(message)} if replaced else message)
        elif not replaced:
            await send(message)
        elif not message.get("more_body", False):
            await send({"type": "http.response.body", "body": BODY})

    return sending


def _headers(message: Message) -> list[tuple[bytes, bytes]]:
    others = [pair for pair in message["headers"] if pair[0].lower() not in BODY_HEADERS]
    return [
        *others,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
    ]
