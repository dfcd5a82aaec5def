"""The server of ``analytics-worker server``: ``python -m analytics_worker.stack.server_process PORT``.

Other commands of this checkout find it by the records in the state folder, which are removed when it ends.
"""

import signal
from types import FrameType

from analytics_worker.server.app import main as serve
from analytics_worker.settings import settings
from analytics_worker.stack.state_dir import StateFolder


class EndedBySignalError(SystemExit):
    """A signal ends this process, once its records are removed."""

    def __init__(self, number: int) -> None:
        """Keep which one it was."""
        super().__init__(128 + number)
        self.number = number


def main() -> None:
    """Serve until a signal ends it; this process ends by that signal, as systemd expects."""
    hangups = list[int]()

    def hang_up(number: int, _: FrameType | None) -> None:
        """End as by SIGTERM, which uvicorn handles: an error raised here may end up anywhere in its event loop."""
        hangups.append(number)
        signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, hang_up)
    folder = StateFolder(settings().state_dir)
    try:
        serve()
    except EndedBySignalError as ended:
        folder.remove_records()
        number = hangups[0] if hangups else ended.number
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    finally:
        folder.remove_records()


def _end(number: int, _: FrameType | None) -> None:
    """End orderly where uvicorn would end by the signal: it repeats what it received while it served."""
    raise EndedBySignalError(number)


if __name__ == "__main__":
    main()
