"""Limit the time and size of an SMTP server's replies.

smtplib limits each read and each line, but neither the number of lines of a reply nor its total time.
Here a whole reply has the socket's timeout and a maximal size. Reads and writes nothing else.
"""

import io
import socket
import time
from smtplib import SMTP, SMTP_SSL
from typing import Any

from typing_extensions import override

MAX_REPLY_BYTES = 64 * 1024


class _ReplyReader(io.RawIOBase):
    """A reader of a socket with a deadline and a maximal size for each reply."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline, self._left = 0.0, 0

    def begin(self, seconds: float) -> None:
        """Start a reply."""
        self._deadline, self._left = time.monotonic() + seconds, MAX_REPLY_BYTES

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int | None:
        """Read available bytes.

        Raises:
            TimeoutError: the reply is not complete in time.
            OSError: it is too long.
        """
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the reply is not complete in time")
        if self._left <= 0:
            raise OSError(f"the reply is longer than {MAX_REPLY_BYTES:,} bytes")
        self._sock.settimeout(seconds)
        size = self._raw.readinto(buffer)
        self._left -= size or 0
        return size

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedReplies(SMTP):
    """An SMTP client whose replies are bounded."""

    _reader: _ReplyReader | None = None

    @override
    def getreply(self) -> tuple[int, bytes]:
        """Read one reply, within the socket's timeout as a whole."""
        sock: socket.socket | None = self.sock
        if sock is None:
            return super().getreply()
        if self.file is None or self._reader is None:
            self._reader = _ReplyReader(sock)
            self.file = io.BufferedReader(self._reader)
        timeout = sock.gettimeout()
        self._reader.begin(timeout if timeout is not None else self.timeout)
        try:
            return super().getreply()
        finally:
            if self.sock is not None:
                self.sock.settimeout(timeout)


class BoundedSMTP(_BoundedReplies, SMTP):
    """SMTP, in clear text until STARTTLS."""


class BoundedSMTPS(_BoundedReplies, SMTP_SSL):
    """SMTP within TLS from the start."""
