"""Define the types of texts in definitions, with messages that say what is expected.

Reads nothing, writes nothing.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

_ADDRESS_PART = r"[^@\s<>(),;:\\\"\x00-\x1f]"


def matching(pattern: str, message: str) -> AfterValidator:
    """Return a check that the whole text matches a pattern; the message follows the quoted text."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"{value!r:.60} {message}")
        return value

    return AfterValidator(check)


Line = Annotated[
    str,
    matching(
        r"(?=\s*\S)[^\x00-\x1f\x7f]{1,200}",
        "is not valid; expected one line of 1 to 200 characters that are not all spaces",
    ),
]
Address = Annotated[
    str,
    matching(
        rf"{_ADDRESS_PART}{{1,64}}@{_ADDRESS_PART}{{1,255}}",
        "is not a valid email address; expected name@example.com",
    ),
]
ChannelName = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9-]{0,99}",
        "is not a valid channel; expected email, webhook, slack or the name of a block: a-z, 0-9"
        " and dashes",
    ),
]
