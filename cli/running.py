"""Where the commands find the stack that runs in this checkout.

Reads ``stack.env`` in the state folder; sets this process's PREFECT_API_URL, unless the user did, and
keeps Prefect from sending what it calls usage data.
"""

import os

from dotenv import dotenv_values

from toolkit.settings import settings

API = "PREFECT_API_URL"


def stack_variables() -> dict[str, str]:
    """What `make up` wrote for other processes; empty when no stack runs."""
    file = dotenv_values(settings().state_dir / "stack.env", interpolate=False)
    return {name: value for name, value in file.items() if value is not None}


def use_running_stack() -> None:
    """Talk to the stack of this checkout; call before Prefect is imported."""
    os.environ.setdefault("DO_NOT_TRACK", "1")  # noqa: TID251  # Prefect reads it there
    address = stack_variables().get(API)
    if address:
        os.environ.setdefault(API, address)  # noqa: TID251  # Prefect reads it there
