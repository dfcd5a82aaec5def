"""Make the texts that identify report runs: as they are, or with a hash in place of what is not shown.

Reads nothing, writes nothing. Different texts have different keys.
"""

from analytics_worker.text import contains_hash, shorten_with_hash

MAX_KEY_LENGTH = 200


def run_key(text: str) -> str:
    """Return a text as a key: one printable line of at most 200 characters."""
    if text and text.isprintable() and len(text) <= MAX_KEY_LENGTH and not contains_hash(text):
        return text
    return shorten_with_hash(text, MAX_KEY_LENGTH)
