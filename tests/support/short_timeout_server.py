"""The product's server, with a shorter timeout for websockets that send nothing: ``python -m tests.support.short_timeout_server PORT``."""

from analytics_worker.server import app, websocket_login_limits

if __name__ == "__main__":
    websocket_login_limits.SECONDS = 2.0
    app.main()
