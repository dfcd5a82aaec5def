"""How a sheet is printed: landscape, its columns on as few pages as are readable, a footer.

Reads nothing, writes nothing.
"""

import math
from collections.abc import Sequence

from analytics_worker.text import one_line
from flows.reports.formats.xlsx.escaping import escape_text

FIT_TO_WIDTH = '<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
_READABLE_WIDTH = 220.0
"""Characters in the width of a page, in the smallest print that is readable."""
_MAX_FOOTER_LENGTH = 150
_MARGINS = '<pageMargins left="0.5" right="0.5" top="0.5" bottom="0.7" header="0.3" footer="0.3"/>'


def pages_across(widths: Sequence[float]) -> int:
    """Return how many pages the columns of a sheet need next to each other."""
    return max(1, math.ceil(sum(widths) / _READABLE_WIDTH))


def page_setup(pages: int, footer: str) -> str:
    """Return the elements that follow the filter of a sheet."""
    text = one_line(footer, _MAX_FOOTER_LENGTH).replace("&", "&&")  # & starts a code
    codes = escape_text(f"&L{text}&RPage &P of &N")
    return (
        f'{_MARGINS}<pageSetup paperSize="9" orientation="landscape" fitToWidth="{pages}"'
        f' fitToHeight="0"/><headerFooter><oddFooter>{codes}</oddFooter></headerFooter>'
    )
