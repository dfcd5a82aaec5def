"""The error of a backup or a restore."""

from analytics_worker.errors import PermanentError


class BackupError(PermanentError):
    """A backup can't be made, read or restored; the message names the reason and what to do."""
