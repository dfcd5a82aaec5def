"""Logins of the user's own that protect nothing are refused."""

import pytest

from analytics_worker.server_login import VARIABLE
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.login import choose_login
from tests.support.attacks import attack

EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing listens
NO_LOGINS = {
    "nologin": "no colon",
    "admin:": "an empty password",
    ":secret": "an empty user",
    "jürgen:secret": "a character that is not ASCII",
    "admin:пароль": "a character that is not ASCII",
}


@attack(
    by="network",
    what="Log in with an empty user or password, or with the password of our examples",
    answer="the server does not start with such a login",
)
@pytest.mark.parametrize("host", [EVERYWHERE, "127.0.0.1"])
@pytest.mark.parametrize("given", [*NO_LOGINS, "admin: ", "admin:choose-one"])
def test_a_login_that_any_client_could_guess_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str, host: str
):
    monkeypatch.setenv(VARIABLE, given)
    monkeypatch.setenv("PREFECT_SERVER_API_HOST", host)
    said = NO_LOGINS.get(given.strip(), "the password of our examples")
    with pytest.raises(StackError, match=f"{VARIABLE} has {said}"):
        choose_login()
