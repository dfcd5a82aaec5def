"""Report storage as a Prefect block: a folder or S3.

REPORT_STORAGE_BLOCK names the block; REPORT_STORAGE_FOLDERS, REPORT_STORAGE_PROTOCOLS and
OUTBOUND_ALLOWED_HOSTS limit what it may name. `analytics-worker deploy` registers the type, so that blocks
can be created in the UI. Its options are secret: they are in no parameter, state or log. Anyone who reaches an API
without authentication can read every block's secrets. Set PREFECT_SERVER_API_AUTH_STRING first.
"""

from prefect.blocks.core import Block
from prefect.blocks.fields import SecretDict
from pydantic import Field


class ReportStorage(Block):
    """The storage of report files."""

    _block_type_name = "Report Storage"
    _block_type_slug = "report-storage"

    base: str = Field(
        description="Folder below REPORT_OUTPUT_DIR or one of REPORT_STORAGE_FOLDERS, or s3://bucket/reports."
    )
    options: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        description="For S3: key, secret, endpoint_url (a public host, or one in OUTBOUND_ALLOWED_HOSTS).",
    )
    link: str | None = Field(
        default=None,
        description="Address of the files for readers, such as https://files.example.com/reports.",
    )
