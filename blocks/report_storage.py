"""Where report files are kept, as a Prefect block: a folder, S3, or anything else that fsspec knows.

REPORT_STORAGE_BLOCK names the block. `analytics-worker deploy` registers the type, so that it can be
filled in in the UI. Its options are secret: in no parameter, state or log. Anyone who reaches an API
without authentication can read every block's secrets; set PREFECT_SERVER_API_AUTH_STRING first.
"""

from prefect.blocks.core import Block
from prefect.blocks.fields import SecretDict
from pydantic import Field


class ReportStorage(Block):
    """A place for report files."""

    _block_type_name = "Report Storage"
    _block_type_slug = "report-storage"

    base: str = Field(description="Folder or URL: /srv/reports, s3://bucket/reports.")
    options: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        description="What fsspec's file system takes, such as key, secret and endpoint_url for S3.",
    )
    link: str | None = Field(
        default=None,
        description="Where people find the files, such as https://files.example.com/reports.",
    )
