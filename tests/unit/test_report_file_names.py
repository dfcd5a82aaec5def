"""Names of report files: letters of every script stay, different keys have different names."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.report_storage.file_names import distinct_name, slugify
from analytics_worker.report_storage.storage import checked_filename
from flows.reports.formats.zip import file_stems
from flows.reports.runs.keys import run_key


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Umsatz Österreich", "umsatz-oesterreich"),
        ("Straße", "strasse"),
        ("Élan à la carte", "elan-a-la-carte"),
        ("Việt Nam", "viet-nam"),
        ("Отчёт по продажам", "отчёт-по-продажам"),
        ("人事レポート", "人事レポート"),
        ("हिन्दी", "हिन्दी"),
        ("\uff33\uff21\uff2c\uff25\uff33", "sales"),
        ("Sales (EU)", "sales-eu"),
        ("../../etc/passwd", "etc-passwd"),
        ("\u202eevil\x00", "evil"),
        ("\u3164\u115f", "report"),
        ("😀", "report"),
        ("", "report"),
    ],
)
def test_slug_keeps_letters(text, slug):
    assert slugify(text) == slug


@given(st.text())
def test_every_slug_is_the_name_of_a_file(text):
    assert checked_filename(f"{slugify(text)}-9223372036854775807-2026-11-24.ndjson.zip")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("EMEA", "EMEA"),
        ("North West", "North_West"),
        ("Österreich", "Österreich"),
        ("a-12345678", "a-12345678-" + sha256(b"a-12345678").hexdigest()[:8]),
        ("Sales (EU)", "sales-eu-f30ef75f"),
    ],
)
def test_key_in_a_file_name(key, name):
    assert distinct_name(key) == name


KEYS = st.text(st.sampled_from("aA -_.ö\u0308\u200b1"), max_size=5)


@given(st.lists(st.one_of(KEYS, st.text()), max_size=8, unique=True))
def test_different_keys_have_different_names(keys):
    assert len({distinct_name(key) for key in keys}) == len(keys)


def test_names_that_differ_in_what_a_slug_drops_are_different_keys():
    names = [
        "Sales EU",
        "Sales (EU)",
        "a.b",
        "a-b",
        "人事",
        "Отчёт",
        "x" * 300,
        "x" * 299 + "y",
        "",
    ]
    assert len({run_key(name) for name in names}) == len(names)


def test_files_in_an_archive_keep_the_letters_of_their_titles():
    assert file_stems(["Umsatz Österreich", "人事", "…"]) == [
        "umsatz-oesterreich",
        "人事",
        "query-3",
    ]
