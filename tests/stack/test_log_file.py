"""Log files that rotate, and that lose lines before they stop anything."""

from pathlib import Path

from analytics_worker.stack.rotating_log import OLDER_FILES, LogFile


def test_it_rotates_by_size_and_keeps_a_few(tmp_path):
    log = LogFile(tmp_path / "server.log", print, max_bytes=100)
    for number in range(60):
        log.write(f"line {number:02d}\n".encode())
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + OLDER_FILES
    assert all(path.stat().st_size <= 100 for path in files)
    assert log.path.read_text().endswith("line 59\n")
    assert log.last_line == "line 59"


def test_a_full_disk_is_said_once_and_drops_lines():
    said: list[str] = []
    log = LogFile(Path("/dev/full"), said.append)
    log.write(b"one\n")
    log.write(b"two\n")
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert "set LOG_DIR" in said[0]
    assert log.last_line == "two"


def test_it_writes_again_when_the_folder_is_back_and_would_say_so_again(tmp_path):
    said: list[str] = []
    folder = tmp_path / "logs"
    log = LogFile(folder / "server.log", said.append)
    log.write(b"lost\n")
    folder.mkdir()
    log.write(b"kept\n")
    assert log.path.read_text() == "kept\n"
    log.path.unlink()
    folder.rmdir()
    log.write(b"lost\n")
    assert len(said) == 2
