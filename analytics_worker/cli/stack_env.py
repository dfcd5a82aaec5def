"""Connect the commands to the stack that runs in this checkout.

Reads ``stack.env`` in the state folder; sets this process's PREFECT_API_URL and login, unless the user
did, and keeps Prefect from sending what it calls usage data.
"""

import os

from analytics_worker.stack_address import API_LOGIN, API_URL, api_address, stack_login


def use_running_stack() -> None:
    """Talk to the stack of this checkout; call before Prefect is imported."""
    environment = os.environ  # noqa: TID251  # Prefect reads its variables there
    environment.setdefault("DO_NOT_TRACK", "1")
    address = api_address()
    if address:
        environment[API_URL] = address
    login = stack_login(environment.get(API_URL))
    if login and not environment.get(API_LOGIN):
        environment[API_LOGIN] = login
