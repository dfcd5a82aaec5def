"""Escape texts from data, so that a receiver shows them and never interprets them, within its limits.

There is one function for each receiver's format, because each interprets other characters: a key, a name
or an error text must not mention a user, format anything or disguise a link. Invisible characters, and
characters that change the order of others, become visible. `cut` applies a limit in the receiver's own
units before escaping, so that no escape sequence is ever cut. Reads nothing, writes nothing.
"""

import html
import re
import unicodedata
from collections.abc import Callable

ZERO_WIDTH = "\u200b"  # invisible; it splits mentions, tags and emoji codes
SHORTENED = "… (shortened)"

Escape = Callable[[str], str]

_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters, marks that order text from right to left, and characters without width. Joiners
# only after ASCII: Persian and emoji sequences need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]"
)
_MENTION = re.compile(
    r"(?<![\w.+-])@(?=[\w&!])|@(?=everyone|here|channel|all|room|team)", re.IGNORECASE
)
_MARKUP = re.compile(r"<(?=[A-Za-z/!?@#$:])")
_ENTITY = re.compile(r"&(?=#?\w{1,32};)")
_SHORTCODE = re.compile(r":(?!\d{1,2}:)(?=[\w+'-]+:)")
_DATE_FUNCTION = re.compile(r"\{(?=\{)")
_URL = re.compile(r"(https?://[^\s<>|`\\*~\[\]()\"']+)")
_MARKDOWN = re.compile(r"[\\*_~`|\[\]#>]|^([ \t]*(?:\d{1,9}(?=[.)])|(?=[-+=])))", re.MULTILINE)

# What Slack's mrkdwn shows unchanged: an allow-list, because mrkdwn has no escape for * _ ~ and `.
_SLACK_PLAIN = re.compile(
    r"""(?!\s*>)(?:[^\W_]|(?<=[^\W_])_(?=[^\W_])|(?<=\w)@(?=\w)|[ .,;()%<>=+/'"?°€$£¥&–−…·▲▼▁▂▃▄▅▆▇█#-]|:(?= |$)|(?<=\d\d):(?=\d\d(?!\d)))*"""
)


def visible(text: str) -> str:
    """Return plain text in which every character is visible: the base of all formats."""
    full_text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _INVISIBLE.sub(_visible_mark, _LINE_BREAKS.sub("\n", full_text))


def _visible_mark(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004  # U+2400 to U+241F are pictures of the controls
        return chr(0x2400 + code)
    return f"[U+{code:04X}]"


def single_line(text: str) -> str:
    """Return visible text in one line."""
    return " ".join(visible(text).split())


def without_mentions(text: str) -> str:
    """Split the @ from the name of mentions, so that a chat notifies no user."""
    return _MENTION.sub(f"@{ZERO_WIDTH}", text)


def slack(text: str) -> str:
    """Escape for a plain_text object of Slack."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_mrkdwn(text: str) -> str | None:
    """Escape for an mrkdwn object of Slack; None if mrkdwn would format a part of it."""
    visible_text = visible(text)
    return slack(visible_text) if _SLACK_PLAIN.fullmatch(visible_text) else None


def slack_message(text: str) -> str:
    """Escape for the text of a message, which notifications and Slack-compatible servers show."""
    return _SHORTCODE.sub(f":{ZERO_WIDTH}", without_mentions(slack(text)))


def teams(text: str) -> str:
    """Escape for a TextRun of an Adaptive Card: no Markdown there, but functions such as {{DATE}}."""
    return _DATE_FUNCTION.sub(f"{{{ZERO_WIDTH}", visible(text))


def telegram(text: str) -> str:
    """Escape for Telegram's HTML."""
    return html.escape(without_mentions(visible(text)))


def incident(text: str) -> str:
    """Split tags and entities that an incident service could show as HTML; SMS and speech use it, too."""
    return _ENTITY.sub(f"&{ZERO_WIDTH}", _MARKUP.sub(f"<{ZERO_WIDTH}", visible(text)))


def chat(text: str) -> str:
    """Split mentions, tags and shortcodes in plain text, for services whose format is unknown."""
    parted = _MARKUP.sub(f"<{ZERO_WIDTH}", without_mentions(visible(text)))
    return _outside_urls(lambda part: _SHORTCODE.sub(f":{ZERO_WIDTH}", part), parted)


def markdown(text: str) -> str:
    """Escape for a chat that always shows Markdown, such as Discord."""
    return _outside_urls(lambda part: _MARKDOWN.sub(_backslashed, part), chat(text))


def _backslashed(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[1] is not None else f"\\{match[0]}"


def _outside_urls(escape: Escape, text: str) -> str:
    parts = _URL.split(text)
    return "".join(part if odd % 2 else escape(part) for odd, part in enumerate(parts))


def utf16_units(text: str) -> int:
    """Count UTF-16 units, as Java, JavaScript and Telegram do."""
    return len(text.encode("utf-16-le")) // 2


def cut(
    text: str,
    limit: int,
    *,
    escape: Escape = visible,
    measure: Callable[[str], int] = utf16_units,
    suffix: str = SHORTENED,
) -> str:
    """Return the escaped text, or as much of it as fits ``limit`` together with ``suffix``."""
    begin = text[: 2 * limit + 2]  # an escaped text has at least half the length of its source
    full_text = escape(begin)
    if len(begin) == len(text) and measure(full_text) <= limit:
        return full_text
    low, high = 0, len(begin)
    while low < high:
        middle = (low + high + 1) // 2
        fits = measure(escape(begin[:middle])) + measure(suffix) <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    return escape(begin[: _between_characters(begin, low)].rstrip()) + suffix


def _between_characters(text: str, at: int) -> int:
    """Move back to a position that splits no combining mark, joined emoji or surrogate pair."""
    for _ in range(32):
        if not 0 < at < len(text) or not (_continues(text[at]) or _joins(text[at - 1])):
            break
        at -= 1
    return at


def _continues(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me", "Cf", "Sk"} or (
        "\udc00" <= character <= "\udfff"
    )


def _joins(character: str) -> bool:
    return character == "\u200d" or "\ud800" <= character <= "\udbff"
