"""Upload files to Slack in the three steps that it documents.

``files.getUploadURLExternal`` returns an address for a name and a length, the bytes are posted there,
and ``files.completeUploadExternal`` shares them
(https://docs.slack.dev/messaging/working-with-files#upload). A file that is uploaded and never shared
is invisible, so repeating the first two steps is safe. Reads the files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from analytics_worker.delivery.channels.slack_api import SlackApi
from analytics_worker.delivery.escaping import single_line
from analytics_worker.send_result import SENT, SendResult, permanent
from analytics_worker.transport.http import HttpResponse
from analytics_worker.transport.multipart import file_chunks

MAX_NAME = 200


class UploadedFile(NamedTuple):
    """A file that is uploaded to Slack and not shared yet."""

    id: str
    name: str


class Uploads(NamedTuple):
    """The results of uploading the files of a message.

    ``failure`` is set if the message should wait: it is not posted yet.
    """

    files: list[UploadedFile]
    refused: dict[str, str]
    failure: SendResult | None = None


def upload_files(api: SlackApi, files: Mapping[str, Path]) -> Uploads:
    """Upload all files; one that Slack refuses permanently becomes a link of the message."""
    uploads = Uploads([], {})
    for name, path in files.items():
        result = _upload(api, name, path, uploads.files)
        if result.status == "permanent":
            uploads.refused[name] = result.detail
        elif result.status != "sent":
            return uploads._replace(failure=result)
    return uploads


def share_files(api: SlackApi, files: Sequence[UploadedFile], channel: str, ts: str) -> SendResult:
    """Show the uploaded files in the thread of a message."""
    if not files:
        return SENT
    titles = [{"id": file.id, "title": file.name} for file in files]
    body = {"files": titles, "channel_id": channel, "thread_ts": ts}
    return api.call("files.completeUploadExternal", body).result


def _upload(api: SlackApi, name: str, path: Path, uploaded: list[UploadedFile]) -> SendResult:
    display_name = single_line(name)[:MAX_NAME] or "file"
    try:
        size = path.stat().st_size
    except OSError as error:
        return permanent(f"{display_name} can't be read: {error.strerror}")
    form = {"filename": display_name, "length": size}
    target = api.call_with_form("files.getUploadURLExternal", form)
    if target.result.status != "sent":
        return target.result
    response = api.session.upload(str(target.fields.get("upload_url")), file_chunks(path), size)
    result = response.result() if isinstance(response, HttpResponse) else response
    if result.status == "sent":
        uploaded.append(UploadedFile(str(target.fields.get("file_id")), display_name))
    return result
