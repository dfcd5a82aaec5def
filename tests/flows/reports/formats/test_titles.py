"""Titles that reverse the writing direction, or have control characters, don't change a page or workbook."""

import io
import zipfile
from pathlib import Path

import pypdf
import pytest

from flows.reports.formats import (
    Chart,
    ColumnOptions,
    Document,
    Series,
    TableQuery,
    Tile,
    export,
    fetch_table,
    open_snapshot,
    render_html,
    render_pdf,
)

pytestmark = pytest.mark.usefixtures("environment")

EVIL = "\u202egnp.exe\u2066"
QUERY = TableQuery(
    f"Sales{EVIL}",
    f'select 1 as "own{EVIL}", 2 as titled',
    columns={"titled": ColumnOptions(title=f"Where{EVIL}")},
)


def test_no_title_of_a_workbook_reverses_the_direction(tmp_path: Path):
    with open_snapshot() as snapshot:
        export(snapshot, [QUERY], tmp_path / "f", "xlsx")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "f").read_bytes())) as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    assert [name for name, part in parts.items() if "\u202e" in part or "\u2066" in part] == []
    assert "Where\ufffdgnp.exe" in "".join(parts.values())


def test_no_title_of_a_page_reverses_the_direction(tmp_path: Path):
    with open_snapshot() as snapshot:
        table = fetch_table(snapshot, QUERY, 10, 10)
    chart = Chart(f"Chart{EVIL}", ["a", "b"], [Series(f"own{EVIL}", [1.0, 2.0])] * 2)
    document = Document(
        f"Title{EVIL}",
        "now",
        f"Period{EVIL}",
        f"About{EVIL}",
        [Tile(f"Tile{EVIL}", 1)],
        [chart],
        [table],
    )
    html = render_html(document)
    assert not {"\u202e", "\u2066"} & set(html.text + html.email + html.title)
    render_pdf(html, tmp_path / "f.pdf")
    metadata = pypdf.PdfReader(tmp_path / "f.pdf").metadata
    assert metadata is not None
    assert "\u202e" not in str(metadata.title)
