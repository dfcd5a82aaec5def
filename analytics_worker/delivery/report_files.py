"""Open the files of reports, in whichever flow or command sends them.

Reads the report storage; writes nothing but a copy of a remote file for as long as it is open. What this
host can't reach is left to others: only the storage itself, or the host that wrote the file, can say that
it does not exist any more. The storage is imported when a file is first opened.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from analytics_worker.delivery.attachments import AttachmentUnavailable
from analytics_worker.delivery.message import Attachment
from analytics_worker.errors import PermanentError
from analytics_worker.report_storage.location import location_name

if TYPE_CHECKING:
    from analytics_worker.report_storage.storage import Storage


@contextmanager
def open_report_file(attachment: Attachment) -> Generator[Path]:
    """Open a file that a report published.

    Raises:
        AttachmentUnavailable: this host can't reach it; another one may.
        FileNotFoundError: it does not exist any more.
        PermanentError: it is not a file of reports.
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
            raise AttachmentUnavailable(f"{name} is not in the report folder here") from None
        except PermanentError as error:
            if not storage.is_remote:
                raise
            raise AttachmentUnavailable(str(error)) from None
        except OSError as error:
            raise AttachmentUnavailable(str(error)) from None
        yield path


def _storage(name: str) -> "Storage":
    """Return the storage of that block, as the settings and the Prefect API of this host know it."""
    from httpx import HTTPError  # noqa: PLC0415
    from prefect.exceptions import PrefectException  # noqa: PLC0415  # takes a second

    from analytics_worker.report_storage.storage import open_storage  # noqa: PLC0415  # imports fsspec

    try:
        return open_storage(name)
    except PermanentError as error:
        raise AttachmentUnavailable(str(error)) from None
    except (PrefectException, HTTPError, OSError, RuntimeError) as error:
        reason = f"the Prefect API could not be asked for Report Storage block {name!r}"
        raise AttachmentUnavailable(f"{reason}: {type(error).__name__}") from error
