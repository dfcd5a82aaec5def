"""Texts that try to become a header, a body, or something other than what they are.

A dictionary of name and text, for every test that sends text from data somewhere. `IN_DATABASE` leaves
out those that PostgreSQL can't store. `shown` returns what a receiver is to see of each.
"""

from analytics_worker.text import one_line

EVIL = "evil@attacker.example"
"""In no header of any email, except as part of a longer text."""

_WORD = "=0d=0aReply-To:_evil@attacker.example=0d=0a=0d=0a<h1>pay</h1>"

HEADER_ATTACKS: dict[str, str] = {
    # Encoded words (RFC 2047)
    "q": f"=?utf-8?q?{_WORD}?=",
    "Q, upper case": f"=?UTF-8?Q?{_WORD}?=",
    "b": "=?utf-8?b?DQpSZXBseS1UbzogZXZpbEBhdHRhY2tlci5leGFtcGxlDQoNCjxoMT5wYXk=?=",
    "b without padding": "=?utf-8?b?DQpCY2M6IGV2aWxAYXR0YWNrZXIuZXhhbXBsZQ?=",
    "in the middle": f"EMEA =?utf-8?q?{_WORD}?= north",
    "without spaces around": f"EMEA=?utf-8?q?{_WORD}?=north",
    "two in a row": "=?utf-8?q?=0d=0a?= =?utf-8?q?Bcc:_evil@attacker.example?=",
    "nested": "=?utf-8?q?=3D=3Futf-8=3Fq=3F=3D0d=3D0aBcc:_x=3F=3D?=",
    "nested in b": "=?utf-8?b?PT91dGYtOD9xPz0wZD0wYUJjYzpfeD89?=",
    "split by a fold": "=?utf-8?q?=0d=0aBcc:_evil\r\n @attacker.example?=",
    "split by a line feed": "=?utf-8?q?=0d=0a\n =?utf-8?q?Bcc:_x?=",
    "language tag": "=?utf-8*en?q?=0d=0aBcc:_evil@attacker.example?=",
    "utf-7": "=?utf-7?q?+AA0ACg-Bcc:_evil@attacker.example?=",
    "utf-16": "=?utf-16?b?DQAKAEIAYwBjADoAIABlAA==?=",
    "utf-16be": "=?utf-16be?b?AA0ACgBCAGMAYwA6?=",
    "unknown charset": "=?no-such-charset?q?=0d=0aBcc:_evil@attacker.example?=",
    "charset with a line end": "=?utf-8\r\nBcc: evil@attacker.example?q?x?=",
    "unknown encoding": "=?utf-8?x?=0d=0aBcc:_x?=",
    "without its end": "=?utf-8?q?=0d=0aBcc:_evil@attacker.example",
    "without its text": "=?utf-8?q??=",
    "invalid octets": "=?utf-8?q?=ff=fe=0d=0aBcc:_x?=",
    "long encoded word": f"=?utf-8?q?{'=0d=0aBcc:_x' * 20}?=",
    "parameter of RFC 2231": "x; filename*=utf-8''%0d%0aBcc:%20evil",
    # Line ends and control characters
    "CRLF": "EMEA\r\nBcc: evil@attacker.example\r\n\r\n<h1>pay</h1>",
    "LF": "EMEA\nSeverity:  ok\n\nAll is well",
    "CR": "EMEA\rBcc: evil@attacker.example",
    "folded": "EMEA\r\n Bcc: evil@attacker.example",
    "LF CR": "EMEA\n\rBcc: evil@attacker.example",
    "vertical tab": "EMEA\x0bBcc: evil@attacker.example",
    "form feed": "EMEA\x0cBcc: evil@attacker.example",
    "file separator": "EMEA\x1cBcc: evil@attacker.example",
    "group separator": "EMEA\x1dBcc: evil@attacker.example",
    "record separator": "EMEA\x1eBcc: evil@attacker.example",
    "next line": "EMEA\x85Bcc: evil@attacker.example",
    "line separator": "EMEA\u2028Bcc: evil@attacker.example",
    "paragraph separator": "EMEA\u2029Bcc: evil@attacker.example",
    "NUL": "EMEA\x00Bcc: evil@attacker.example",
    "percent-encoded": "EMEA%0d%0aBcc:%20evil@attacker.example",
    "escaped": "EMEA\\r\\nBcc: evil@attacker.example",
    "terminal title": "\x1b]0;owned\x07EMEA",
    "terminal color": "\x1b[31mEMEA\x1b[0m",
    "C1 escape": "\x9b31mEMEA",
    "backspace": "EMEA\b\b\b\bAPAC",
    # Characters that mean something else than they show
    "override of the direction": "invoice\u202efdp.exe",
    "isolate": "\u2066EMEA\u2069 \u2067APAC",
    "lone surrogate": "EMEA\ud800",
    "bytes that were no UTF-8": "EMEA\udcff\udcfe",
    "letters that are wide": "\uff25\uff12\uff1a\uff1c\uff1e\uff21",
    # Signs of the header syntax
    "quote": 'EMEA" <evil@attacker.example>, "',
    "backslash": "EMEA\\",
    "backslash and quote": '\\"EMEA\\" \\',
    "comma": "EMEA, evil@attacker.example",
    "angle brackets": "<evil@attacker.example>",
    "group": "All: evil@attacker.example;",
    "comment": "EMEA (Bcc: evil@attacker.example)",
    "semicolon and quote": 'a.csv"; name="b.exe',
    "parent folder": "../../etc/cron.d/x",
    "folder of Windows": "..\\..\\x.exe",
    "hidden file": ".bashrc",
    "dot": ".",
    # Size and white space
    "very long word": "x" * 3000,
    "very long text": "EMEA north " * 300,
    "long in another script": "Übergröße " * 40,
    "emoji family": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 20,
    "tabs and spaces": "\t EMEA \t  north \xa0 ",
    "blank": " \r\n\t ",
    "colon": "Bcc: evil@attacker.example",
    "end of a mail": "\r\n.\r\nMAIL FROM:<evil@attacker.example>\r\n",
    "boundary": "--===============0==--",
    # Other languages that text ends up in
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;",
    "chat link": "<https://attacker.example|Login> <!channel> &",
    "terminal markup": "[red]EMEA[/] [link=https://attacker.example]x[/link]",
    "template": "{{ 7 * 7 }}{% raw %}{0.__class__}%(x)s%s",
}

IN_DATABASE = {
    name: text
    for name, text in HEADER_ATTACKS.items()
    if "\0" not in text and text.encode(errors="replace").decode() == text
}


def shown(text: str, limit: int = 300) -> str:
    """What a receiver sees of a text that stands in a header."""
    return one_line(text, limit)
