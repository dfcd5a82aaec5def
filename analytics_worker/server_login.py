"""Recognize logins of the Prefect server that protect nothing. Reads and writes nothing."""

from analytics_worker.host_port import is_loopback

VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
EXPECTED = "expected user:password"
PLACEHOLDERS = frozenset({"choose-one", "the-login", "the-same-login", "password"})
"""Passwords of our own examples, which anyone can read."""


def login_problem(login: str, host: str) -> str | None:
    """Return what is wrong with the login of a server that listens on this host; never the login.

    Prefect takes any text for a login, and compares it with what a client sends.
    """
    user, colon, password = login.partition(":")
    if not login:  # Prefect would leave its websockets open
        return f"is empty; {EXPECTED}"
    if not colon:
        return f"has no colon; {EXPECTED}"
    if not user.strip():
        return f"has an empty user; {EXPECTED}"
    if not password.strip():
        return f"has an empty password; {EXPECTED}"
    if password in PLACEHOLDERS and not is_loopback(host):
        return (
            f"has the password of our examples, and PREFECT_SERVER_API_HOST={host} lets other hosts try it:"
            " choose a password of your own"
        )
    return None
