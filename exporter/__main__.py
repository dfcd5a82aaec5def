"""``python -m exporter``: the Prometheus endpoint. `exporter.app` says what it reads and writes."""

import sys

from exporter.app import serve

if __name__ == "__main__":
    sys.exit(serve())
