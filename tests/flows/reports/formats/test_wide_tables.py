"""Wide tables: on pages and in emails in blocks of columns that fit, each with the first column."""

import re
from pathlib import Path

import pypdf
import pytest

from flows.reports.formats import (
    Column,
    ColumnKind,
    Document,
    FetchedRows,
    File,
    Html,
    render_html,
    render_pdf,
)
from flows.reports.formats.pages.table_layout import column_blocks

TEXT = "A long text of many words that says something about what has happened. "


def table(columns: int, rows: int = 3, text: str = "1234.50") -> FetchedRows:
    kind = ColumnKind.TEXT if text == TEXT else ColumnKind.NUMERIC
    names = [Column(f"metric_{number}", kind, scale=2) for number in range(1, columns)]
    cells = [(f"row-{row}", *[text] * (columns - 1)) for row in range(rows)]
    return FetchedRows("Wide", (Column("id", ColumnKind.TEXT), *names), tuple(cells))


def page(fetched: FetchedRows, *files: str) -> Html:
    return render_html(
        Document("T", "now", tables=[fetched], files=[File(name, 10, 1) for name in files])
    )


def headings(text: str) -> list[list[str]]:
    """Return the headings of each block of a page."""
    found = re.findall(r"<thead>.*?</tr>\n<tr>\n(.*?)</tr>", text, re.DOTALL)
    return [re.findall(r">([^<>]+)</th>", block) for block in found]


def pdf_pages(html: Html, path: Path) -> list[pypdf.PageObject]:
    render_pdf(html, path / "f.pdf")
    return list(pypdf.PdfReader(path / "f.pdf").pages)


@pytest.mark.parametrize("columns", [2, 9, 14, 30, 300])
def test_page_has_every_column_once_and_the_first_in_each_block(columns):
    blocks = headings(page(table(columns)).text)
    assert {block[0] for block in blocks} == {"Id"}
    others = [heading for block in blocks for heading in block[1:]]
    assert others == [f"Metric {number}" for number in range(1, columns)]


def test_email_has_as_many_columns_as_fit_and_names_the_file_with_all():
    text = page(table(300, 40), "wide.pdf", "wide.csv").email
    blocks = headings(text)
    assert 3 <= len(blocks) <= 8
    assert all(len(block) <= 8 for block in blocks)
    shown = 1 + sum(len(block) - 1 for block in blocks)
    assert f"The first {shown} of 300 columns; wide.csv has all of them." in text
    assert "The first" not in page(table(14), "wide.csv").email


def test_email_hides_nothing_behind_a_scroll():
    html = page(table(14))
    assert "overflow-x" not in html.email
    assert "overflow-x:auto" in html.text


def test_blocks_say_which_columns_they_have():
    text = page(table(30)).text
    assert re.findall(r"Columns? \d+(?:–\d+)? of 30", text)[0].startswith("Columns 1–")
    assert "of 5" not in page(table(5)).text


def test_pdf_is_landscape_and_repeats_the_header_on_each_page(tmp_path):
    pages = pdf_pages(page(table(14, 70)), tmp_path)
    assert len(pages) <= 6
    for each in pages:
        box = each.mediabox
        assert box.width > box.height
        assert "Id" in each.extract_text()
        assert "Metric" in each.extract_text()
    assert pdf_pages(page(table(5)), tmp_path)[0].mediabox.height > 800


def test_pdf_of_wide_rows_takes_few_pages(tmp_path):
    pages = pdf_pages(page(table(9, 9, TEXT)), tmp_path)
    assert len(pages) <= 3


def test_pdf_of_300_columns_has_every_column(tmp_path):
    text = "\n".join(each.extract_text() for each in pdf_pages(page(table(300)), tmp_path))
    found = {int(number) for number in re.findall(r"Metric\s+(\d+)", text)}
    assert found == set(range(1, 300))


def test_words_that_are_wider_than_a_column_may_be_broken(tmp_path):
    html = page(FetchedRows("T", (Column("a", ColumnKind.TEXT),), (("<" + "x" * 300,),)))
    assert "&lt;xxxxxxxxxxx<wbr>xxxxxxxxxxxx<wbr>" in html.text
    (only,) = pdf_pages(html, tmp_path)
    assert "".join(only.extract_text().split()).count("x") == 300


@pytest.mark.parametrize(
    ("widths", "available", "expected"),
    [
        ([5, 5, 5], 20, [[0, 1, 2]]),
        ([5, 5, 5, 5], 15, [[0, 1, 2], [0, 3]]),
        ([50, 5, 5], 20, [[0, 1, 2]]),
        ([5, 90, 90], 20, [[0, 1], [0, 2]]),
        ([4, 4, 4, 4, 4, 4], 16, [[0, 1, 2, 3], [0, 4, 5]]),
        ([9], 5, [[0]]),
    ],
)
def test_columns_are_distributed_over_blocks(widths, available, expected):
    assert column_blocks(widths, available) == expected
