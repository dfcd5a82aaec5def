"""``python -m cli``: the same command where no console script is installed."""

from analytics_worker.cli import main

if __name__ == "__main__":
    main()
