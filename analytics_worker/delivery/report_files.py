"""Open the files of reports, for every flow or command that sends them.

Reads the report storage; writes nothing but a copy of a remote file while it is open. A file that this
host can't reach may be reachable for others: only the storage itself, or the host that wrote the file,
can decide that it no longer exists. The storage is imported when a file is first opened.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from analytics_worker.delivery.attachments import AttachmentUnavailableError
from analytics_worker.delivery.message import Attachment
from analytics_worker.errors import PermanentError
from analytics_worker.report_storage.location import location_name

if TYPE_CHECKING:
    from analytics_worker.report_storage.storage import Storage


@contextmanager
def open_report_file(attachment: Attachment) -> Generator[Path]:
    """Open a file that a report published.

    Raises:
        AttachmentUnavailableError: this host can't reach it; another host may.
        FileNotFoundError: it no longer exists.
        PermanentError: it is not a report file.
    """
    from analytics_worker.report_storage.folder import checked_filename  # noqa: PLC0415

    name = checked_filename(attachment.name)
    storage = _storage(attachment.storage)
    with ExitStack() as stack:
        try:
            path = stack.enter_context(storage.local(name))
        except FileNotFoundError:
            if storage.is_remote or attachment.written_by == location_name():
                raise
            raise AttachmentUnavailableError(f"{name} is not in the report folder here") from None
        except PermanentError as error:
            if not storage.is_remote:
                raise
            raise AttachmentUnavailableError(str(error)) from None
        except OSError as error:
            raise AttachmentUnavailableError(str(error)) from None
        yield path


def _storage(name: str) -> "Storage":
    """Return the storage of that block, from the settings and the Prefect API of this host."""
    from httpx import HTTPError  # noqa: PLC0415
    from prefect.exceptions import PrefectException  # noqa: PLC0415  # takes a second

    from analytics_worker.report_storage.storage import open_storage  # noqa: PLC0415  # imports fsspec

    try:
        return open_storage(name)
    except PermanentError as error:
        raise AttachmentUnavailableError(str(error)) from None
    except (PrefectException, HTTPError, OSError, RuntimeError) as error:
        reason = f"Report Storage block {name!r} could not be read from the Prefect API"
        raise AttachmentUnavailableError(f"{reason}: {type(error).__name__}") from error
