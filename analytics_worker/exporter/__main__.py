"""``python -m analytics_worker.exporter``: the Prometheus endpoint. `analytics_worker.exporter.app` documents what it reads and writes."""

import sys

from analytics_worker.exporter.app import serve
from analytics_worker.exporter.console import log_line
from analytics_worker.log_format import use_log_format
from analytics_worker.settings import InvalidSettingError

if __name__ == "__main__":
    try:
        use_log_format("exporter")
        sys.exit(serve())
    except InvalidSettingError as error:
        log_line(f"error: {error}")
        sys.exit(1)
