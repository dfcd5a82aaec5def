"""``python -m analytics_worker.exporter``: the Prometheus endpoint. `analytics_worker.exporter.app` says what it reads and writes."""

import sys

from analytics_worker.exporter.app import serve

if __name__ == "__main__":
    sys.exit(serve())
