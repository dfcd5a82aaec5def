"""Recognize logins of the Prefect server that protect nothing. Reads and writes nothing."""

VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
EXPECTED = "expected user:password"
PLACEHOLDERS = frozenset({"choose-one", "the-login", "the-same-login", "password"})
"""Passwords of our own examples, which anyone can read."""


def login_problem(login: str) -> str | None:
    """Return what is wrong with the login of a server; never the login.

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
    if not login.isascii():  # the server's comparison raises TypeError: each request would be answered 500
        return f"has a character that is not ASCII, which the server can't compare; {EXPECTED} in ASCII"
    if password in PLACEHOLDERS:  # on loopback, too: a proxy may let other hosts try it
        return "has the password of our examples, which anyone can read: choose a password of your own"
    return None
