"""Quote what another system replied, unless it repeats a secret that it was given.

Reads nothing, writes nothing, and imports only the standard library and `text`.
"""

import unicodedata
from base64 import b64encode

from analytics_worker.text import one_line

SHORTEST_SECRET = 4
"""Letters and digits; a shorter one is found everywhere or nowhere, so that nothing is quoted."""


def quoted_reply(text: str, secret: str | None, *, user: str = "", name: str = "password") -> str:
    """Return the reply in one line, or that it is withheld because of the secret.

    The secret is looked for as it is, in base64 (alone, and as AUTH PLAIN sends it) and in hexadecimal
    digits, regardless of case and of other characters between its letters and digits.

    Args:
        text: The whole reply: a secret that is cut in two is not found.
        secret: What the other side was given; None or empty if that is nothing.
        user: Whose password it is.
        name: What the secret is called.
    """
    if not secret:
        return one_line(text)
    plain = _letters_and_digits(secret)
    if len(plain) < SHORTEST_SECRET:
        return f"(reply withheld: it may contain the {name})"
    said = _letters_and_digits(text)
    if any(form in said for form in (plain, *_encoded(secret, user))):
        return f"(reply withheld: it contains the {name})"
    return one_line(text)


def _encoded(secret: str, user: str) -> list[str]:
    data = secret.encode(errors="replace")
    login = b"\0".join((b"", user.encode(errors="replace"), data))
    texts = (b64encode(data).decode(), b64encode(login).decode(), data.hex())
    return [_letters_and_digits(text) for text in texts]


def _letters_and_digits(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())
