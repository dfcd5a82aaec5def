"""Connect a command to the stack that runs in this checkout, wherever the command was started.

Reads ``stack.env`` in the state folder and ``.env``; sets this process's PREFECT_API_URL and login, unless
the user did, keeps Prefect from starting a server of its own, and from sending what it calls usage data.
"""

import os

from analytics_worker.settings import user_variables
from analytics_worker.stack_address import (
    API_KEY,
    API_LOGIN,
    API_URL,
    api_address,
    check_api_url,
    check_credential,
    stack_login,
)

EPHEMERAL = "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"


def use_running_stack() -> None:
    """Talk to the stack of this checkout; call before Prefect is imported.

    Raises:
        ApiUrlError: the address is not a valid URL.
        ApiLoginError: the login can't be sent.
    """
    environment = os.environ  # noqa: TID251  # Prefect reads its variables there
    environment.setdefault("DO_NOT_TRACK", "1")
    environment[EPHEMERAL] = "false"
    for name, value in user_variables().items():
        if name.startswith("PREFECT_"):  # Prefect reads .env only in the current folder
            environment.setdefault(name, value)
    address = api_address()
    check_api_url(address)
    if address:
        environment[API_URL] = address
    login = stack_login(environment.get(API_URL))
    if login and not environment.get(API_LOGIN):
        environment[API_LOGIN] = login
    for variable in (API_LOGIN, API_KEY):
        check_credential(variable, environment.get(variable))
