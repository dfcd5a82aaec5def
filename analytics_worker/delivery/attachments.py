"""Open the files of a message when it is sent, once for consecutive recipients.

Reads files through the caller's opener; writes nothing. An opener is a context manager for a path. It
raises `AttachmentUnavailableError` if this host can't reach the storage, and FileNotFoundError or
PermanentError if the storage reports that the file does not exist.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from uuid import UUID

from analytics_worker.delivery.message import Attachment, Content

AttachmentOpener = Callable[[Attachment], AbstractContextManager[Path]]


class AttachmentUnavailableError(Exception):
    """This sender can't open the file; another sender may be able to."""


class OpenAttachments:
    """The open files of one message at a time."""

    def __init__(self, opener: AttachmentOpener) -> None:
        self._opener = opener
        self._open = ExitStack()
        self._files: tuple[UUID, Mapping[str, Path] | BaseException] | None = None

    def files(self, message_id: UUID, content: Content) -> Mapping[str, Path]:
        """Return the paths of a message's attachments by the name under which they are attached.

        Raises:
            AttachmentUnavailableError: this sender can't open one of them.
            Exception: the error of the opener, for every recipient of the message.
        """
        if not content.attachments:
            return {}
        if self._files is None or self._files[0] != message_id:
            self.close()
            self._files = (message_id, self._open_files(content))
        files = self._files[1]
        if isinstance(files, BaseException):
            raise files
        return files

    def close(self) -> None:
        """Close the files of the last message."""
        self._files = None
        self._open.close()

    def _open_files(self, content: Content) -> Mapping[str, Path] | BaseException:
        try:
            return {each.attach_as: self._enter(each) for each in content.attachments}
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it is the result for every recipient
            return error

    def _enter(self, attachment: Attachment) -> Path:
        return self._open.enter_context(self._opener(attachment))
