"""Ports for the services that tests start."""

import socket


def free_port() -> int:
    """A port of this host that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
