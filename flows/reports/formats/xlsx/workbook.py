"""The parts of a workbook other than the sheets, and the names of sheets.

Reads only the clock; writes nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from analytics_worker.text import printable
from flows.reports.formats.xlsx.escaping import CONTROLS, escape_text

MAX_SHEET_NAME_LENGTH = 31
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True)
class Sheet:
    """A complete sheet.

    Attributes:
        name: Its name.
        area: Its table with the header, such as ``$A$1:$H$10``.
        pages: How many pages its columns need next to each other.
    """

    name: str
    area: str | None = None
    pages: int = 1


def sheet_name(title: str, used: Sequence[str]) -> str:
    """Return a name that Excel accepts: short, without special characters, and unique."""
    base = " ".join(CONTROLS.sub(" ", _FORBIDDEN.sub(" ", printable(title))).split()).strip("' ")
    base = base or "Sheet"
    if base.lower() == "history":  # Excel reserves it
        base = "History_"
    lower = {name.lower() for name in used}
    name, number = _shortened(base, ""), 1
    while name.lower() in lower:
        number += 1
        name = _shortened(base, f" ({number})")
    return name


def _shortened(base: str, suffix: str) -> str:
    units = base.encode("utf-16-le")[: 2 * (MAX_SHEET_NAME_LENGTH - len(suffix))]
    return units.decode("utf-16-le", errors="ignore").strip("' ") + suffix


def column_letters(number: int) -> str:
    """Return the letters of a column: ``A`` for 1, ``AB`` for 28."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def package_relationships() -> str:
    """Return ``_rels/.rels``."""
    return _relationships(
        (f"{_OFFICE}/relationships/officeDocument", "xl/workbook.xml"),
        (f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
        (f"{_OFFICE}/relationships/extended-properties", "docProps/app.xml"),
    )


def workbook_relationships(sheets: int) -> str:
    """Return ``xl/_rels/workbook.xml.rels``: the sheets in order, then the styles."""
    parts = [
        (f"{_OFFICE}/relationships/worksheet", f"worksheets/sheet{n + 1}.xml")
        for n in range(sheets)
    ]
    return _relationships(*parts, (f"{_OFFICE}/relationships/styles", "styles.xml"))


def _relationships(*parts: tuple[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="rId{number}" Type="{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(parts, 1)
    )
    return f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">{rows}</Relationships>'


def content_types(sheets: int) -> str:
    """Return ``[Content_Types].xml``."""
    parts = {
        "/xl/workbook.xml": f"{_TYPE}.spreadsheetml.sheet.main+xml",
        "/xl/styles.xml": f"{_TYPE}.spreadsheetml.styles+xml",
        "/docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
        "/docProps/app.xml": f"{_TYPE}.extended-properties+xml",
    }
    for number in range(1, sheets + 1):
        parts[f"/xl/worksheets/sheet{number}.xml"] = f"{_TYPE}.spreadsheetml.worksheet+xml"
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in parts.items()
    )
    return (
        f'{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def workbook(sheets: Sequence[Sheet]) -> str:
    """Return ``xl/workbook.xml``: the sheets, their filters, and what is printed on each page."""
    entries = "".join(
        f'<sheet name={quoteattr(sheet.name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, sheet in enumerate(sheets, 1)
    )
    defined = "".join(_defined_names(number, sheet) for number, sheet in enumerate(sheets))
    names = f"<definedNames>{defined}</definedNames>" if defined else ""
    return (
        f'{_DECLARATION}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships">'
        f"<sheets>{entries}</sheets>{names}</workbook>"
    )


def _defined_names(number: int, sheet: Sheet) -> str:
    """Return the area of a sheet's filter, and what is repeated on each printed page: header, first column."""
    if not sheet.area:
        return ""
    name = escape(_quoted(sheet.name))
    titles = f"{name}!$A:$A,{name}!$1:$1" if sheet.pages > 1 else f"{name}!$1:$1"
    return (
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{number}" hidden="1">'
        f"{name}!{sheet.area}</definedName>"
        f'<definedName name="_xlnm.Print_Titles" localSheetId="{number}">{titles}</definedName>'
    )


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def core_properties(title: str) -> str:
    """Return ``docProps/core.xml``."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'{_DECLARATION}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape_text(title)}</dc:title>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{now}</dcterms:created></cp:coreProperties>'
    )


def app_properties() -> str:
    """Return ``docProps/app.xml``."""
    return (
        f'{_DECLARATION}<Properties xmlns="{_OFFICE}/extended-properties">'
        "<Application>analytics-worker</Application></Properties>"
    )
