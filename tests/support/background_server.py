"""A socket server that serves in a thread of its own while its ``with`` block lasts."""

import socketserver
from threading import Thread
from types import TracebackType
from typing import Self

from typing_extensions import override


class BackgroundServer(socketserver.BaseServer):
    """Mix it in before the kind of server."""

    @override
    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.shutdown()
        self.end_connections()
        self.server_close()

    def end_connections(self) -> None:
        """End the open connections, where the server knows them."""
