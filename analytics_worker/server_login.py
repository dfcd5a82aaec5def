"""Recognize logins of the Prefect server that protect nothing. Reads and writes nothing."""

VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
EXPECTED = "expected user:password"
PLACEHOLDERS = frozenset({"choose-one", "the-login", "the-same-login", "password"})
"""Passwords of our own examples, which anyone can read."""

NOT_ASCII = (
    f"has a character that is not ASCII, which the server can't compare; {EXPECTED} in ASCII"
)
"""Its comparison raises TypeError, and each request would be answered 500."""
OF_EXAMPLES = (
    "has the password of our examples, which anyone can read: choose a password of your own"
)
"""On loopback, too: a proxy may let other hosts try it."""


def login_problem(login: str) -> str | None:
    """Return what is wrong with the login of a server; never the login.

    Prefect takes any text for a login, and compares it with what a client sends.
    """
    user, colon, password = login.partition(":")
    problems = (
        (not login, f"is empty; {EXPECTED}"),  # Prefect would leave its websockets open
        (not colon, f"has no colon; {EXPECTED}"),
        (not user.strip(), f"has an empty user; {EXPECTED}"),
        (not password.strip(), f"has an empty password; {EXPECTED}"),
        (not login.isascii(), NOT_ASCII),
        (password in PLACEHOLDERS, OF_EXAMPLES),
    )
    return next((problem for is_found, problem in problems if is_found), None)
