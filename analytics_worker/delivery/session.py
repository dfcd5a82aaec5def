"""Send through a channel on kept connections; any error of a channel is the result of one message.

Writes nothing but messages. The session of a channel is opened when it is needed, and again after an
unexpected error, whose connection is in an unknown state.
"""

import logging
from contextlib import AbstractContextManager

from analytics_worker.delivery.channels.base import Channel, Sender
from analytics_worker.delivery.message import OutgoingMessage
from analytics_worker.errors import PermanentError
from analytics_worker.send_result import (
    SendResult,
    not_configured,
    refused,
    temporary,
    unreachable,
)

_log = logging.getLogger(__name__)

# Libraries of a channel may exit or raise any error: no message may stop another one.
ANY_ERROR = (Exception, SystemExit)


class ChannelSession:
    """A session of one thread with a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._session: AbstractContextManager[Sender] | None = None
        self._send: Sender | None = None

    def send(self, message: OutgoingMessage) -> SendResult:
        """Send one message; never raise an error of the channel."""
        try:
            send = self._send or self._open()
        except PermanentError as error:  # in its configuration: no message was read yet
            return not_configured(str(error))
        except ANY_ERROR as error:
            return unreachable(f"the channel can't be opened: {type(error).__name__}")
        return self._send_with(send, message)

    def close(self) -> None:
        """Close the connections."""
        context_manager, self._session, self._send = self._session, None, None
        if context_manager is None:
            return
        try:
            context_manager.__exit__(None, None, None)
        except ANY_ERROR as error:
            _log.warning(
                "channel %s could not be closed: %s", self._channel.name, type(error).__name__
            )

    def _open(self) -> Sender:
        context_manager = self._channel.session()
        self._send = context_manager.__enter__()
        self._session = context_manager
        return self._send

    def _send_with(self, send: Sender, message: OutgoingMessage) -> SendResult:
        try:
            result = send(message)
        except PermanentError as error:
            return refused(error)
        except ANY_ERROR as error:
            _log.exception("channel %s raised an unexpected error", self._channel.name)
            self.close()
            return temporary(f"unexpected error in the channel: {type(error).__name__}")
        if isinstance(result, SendResult):  # pyright: ignore[reportUnnecessaryIsInstance]
            return result
        return temporary(f"unexpected result of the channel: {type(result).__name__}")
