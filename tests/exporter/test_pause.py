"""An exporter that is paused, as a debugger or a suspended machine does, goes on afterwards."""

import os
import signal
import time

from tests.support.exporter_process import exporter_of

REPORTS = {"WATCHDOG_USEC": "600000"}
"""It waits for a signal 0.2 s at a time."""


def test_a_pause_does_not_end_it(tmp_path):
    with exporter_of(tmp_path, "http://127.0.0.1:1/api", **REPORTS) as exporter:
        for how in (signal.SIGSTOP, signal.SIGCONT):
            os.kill(exporter.pid, how)
            time.sleep(1)
        assert exporter.ended() is None
        assert "analytics_" in exporter.get()
        exporter.end(signal.SIGTERM)
        assert exporter.ended() == 0
