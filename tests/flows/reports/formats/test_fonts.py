"""Fonts of charts and PDF: those of the packages, and a note about characters that none has."""

import pypdf
import pytest

from flows.reports.formats import (
    Chart,
    Column,
    ColumnKind,
    Document,
    FetchedRows,
    Series,
    render_html,
    render_pdf,
)
from flows.reports.formats.pages.pdf_process import missing_characters

NOTE = "boxes in place of characters that the worker has no font for: "
GOTHIC = "\U00010330"  # of a script that hosts have no font for


def test_packages_have_the_characters_of_many_languages():
    assert missing_characters("AäßŁğΩжЙ東国门骨한カひ、€₹–…▲▼") == []
    assert missing_characters(f"A{GOTHIC}") == [GOTHIC]


@pytest.mark.parametrize("text", ["人事レポート", "销售报告", "한국어 보고서", "Отчёт по продажам"])
def test_pdf_has_the_text_in_other_scripts(text, tmp_path):
    table = FetchedRows(text, (Column("c", ColumnKind.TEXT),), ((text,),))
    html = render_html(Document(text, "now", tables=[table]), for_pdf=True)
    assert NOTE not in html.text
    render_pdf(html, tmp_path / "f.pdf")
    (page,) = pypdf.PdfReader(tmp_path / "f.pdf").pages
    assert "\ufffd" not in page.extract_text()
    assert len({str(font) for font in page["/Resources"]["/Font"]}) > 1  # pyright: ignore[reportIndexIssue]


def test_missing_characters_of_a_chart_are_noted():
    chart = Chart("T", [f"a {GOTHIC}", "b"], [Series("s", [1, 2])])
    html = render_html(Document("T", "now", charts=[chart]))
    for text in (html.text, html.email):
        assert f"Charts show {NOTE}Gothic." in text


def test_missing_characters_of_a_pdf_are_noted_where_there_is_one():
    table = FetchedRows("T", (Column("c", ColumnKind.TEXT),), ((GOTHIC,),))
    document = Document("T", "now", tables=[table])
    assert f"The PDF and charts show {NOTE}Gothic." in render_html(document, for_pdf=True).text
    assert NOTE not in render_html(document).text
