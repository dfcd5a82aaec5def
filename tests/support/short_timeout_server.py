"""The product's server, with less patience for silent websockets: ``python -m tests.support.short_timeout_server PORT``."""

from analytics_worker.server import app, first_message

if __name__ == "__main__":
    first_message.SECONDS = 2.0
    app.main()
