"""Create folders that only their owner can use, as all below the state folder."""

from pathlib import Path


def create_private(folder: Path) -> None:
    """Create the folder and its missing parents with mode 0700; `Path.mkdir` has it for the last one only."""
    for each in reversed([folder, *folder.parents]):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)  # another process may have created it meanwhile
