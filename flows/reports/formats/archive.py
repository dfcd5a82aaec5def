"""Write a zip archive that never hides why it was not finished. Writes to the given file."""

import zipfile
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, BinaryIO

from typing_extensions import override


class Archive(zipfile.ZipFile):
    """An archive that is left unfinished after an error: closing it with an open entry raises another one."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to an open file, which stays open."""
        super().__init__(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._entry: IO[bytes] | None = None

    @override
    def open(self, *args: Any, **options: Any) -> IO[bytes]:
        self._entry = super().open(*args, **options)
        return self._entry

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        with suppress(OSError, ValueError):
            if self._entry is not None:
                self._entry.close()
        self.fp = None
