"""A host whose wall clock is wrong, by a library that is preloaded into its processes."""

import shutil
import subprocess
from pathlib import Path

import pytest


class ShiftedClock:
    """The wall clock of processes that are started with ``variables``."""

    def __init__(self, folder: Path) -> None:
        """Compile the library; the clock is right."""
        if (compiler := shutil.which("cc")) is None:
            pytest.skip("a shifted clock needs a C compiler")
        self._file, library = folder / "clock-shift", folder / "shifted_clock.so"
        source = Path(__file__).with_suffix(".c")
        command = [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True)
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(self._file)}
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set by how much the clock is ahead; negative if it is behind."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


@pytest.fixture
def shifted_clock(tmp_path: Path) -> ShiftedClock:
    """The clock of a host of this test."""
    return ShiftedClock(tmp_path)
