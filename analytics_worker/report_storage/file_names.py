"""Turn texts of any language into parts of file names.

Reads nothing, writes nothing. Letters of every script are kept. Latin ones lose their accents, and German
umlauts become two letters. What is not a letter or digit becomes a hyphen.
"""

import hashlib
import re
import unicodedata

MAX_LENGTH = 60
MAX_BYTES = 120
_HASH_LENGTH = 8
_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "å": "a",
     "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "\u0131": "i"}
)  # fmt: skip
_SEPARATORS = re.compile(r"[-_]{2}|^[-_]|[-_]$")
_HASH = re.compile(rf"-[0-9a-f]{{{_HASH_LENGTH}}}$")
_INVISIBLE = re.compile(  # letters and marks without an appearance
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def slugify(text: str, default: str = "report") -> str:
    """Return a text as part of a file name: lower-case letters, digits and single hyphens."""
    folded = unicodedata.normalize("NFKC", text).lower().translate(_LETTERS)
    plain = _letters(unicodedata.normalize("NFC", _without_latin_accents(folded)))
    return _shortened("-".join(plain.split())).strip("-") or default


def distinct_name(key: str) -> str:
    """Return a key as part of a file name: different keys have different ones.

    Letters, digits, single hyphens and single spaces stay, the spaces as underscores. Of any other key,
    the slug and a hash remain.
    """
    name = key.replace(" ", "_")
    is_plain = (
        "_" not in key
        and _letters(name.replace("_", "-"), kept="-") == name.replace("_", "-")
        and not _SEPARATORS.search(name)
        and not _HASH.search(name)
        and unicodedata.normalize("NFC", name) == name == _shortened(name)
    )
    return name if is_plain else name_with_hash(key)


def name_with_hash(text: str) -> str:
    """Return the slug of a text and a hash of all of it."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{slugify(text)}-{digest[:_HASH_LENGTH]}"


def is_file_name_part(text: str) -> bool:
    """Return whether a text has only letters and digits of any script, and hyphens between them."""
    return text[:1] not in {"", "-"} and " " not in text and _letters(text, kept="-") == text


def _letters(text: str, kept: str = "") -> str:
    """Replace everything but letters, their marks and digits by spaces."""
    result = " "
    for character in _INVISIBLE.sub(" ", text):
        kind = unicodedata.category(character)
        is_mark = kind in {"Mn", "Mc"} and result[-1] not in {" ", "-"}
        result += character if kind[0] in "LN" or is_mark or character in kept else " "
    return result[1:]


def _without_latin_accents(text: str) -> str:
    """Return the decomposed text without the accents of Latin letters."""
    result = ""
    for character in unicodedata.normalize("NFD", text):
        if not (unicodedata.combining(character) and result[-1:].isascii() and result):
            result += character
    return result


def _shortened(text: str) -> str:
    return text[:MAX_LENGTH].encode(errors="replace")[:MAX_BYTES].decode(errors="ignore")
