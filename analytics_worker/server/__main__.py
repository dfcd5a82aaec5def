"""Serve the Prefect API and UI: ``python -m analytics_worker.server PORT``."""

from analytics_worker.server.app import main

if __name__ == "__main__":
    main()
