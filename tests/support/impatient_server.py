"""The product's server, with less patience for silent websockets: ``python -m tests.support.impatient_server PORT``."""

from worker import first_message, server

if __name__ == "__main__":
    first_message.SECONDS = 2.0
    server.main()
