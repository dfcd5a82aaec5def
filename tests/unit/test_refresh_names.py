"""How callers may write the name of a materialized view."""

import pytest

from flows.analytics._views import UnknownViewError, View, select_views


def view(oid: int, schema: str, name: str, label: str) -> View:
    return View(oid=oid, schema_name=schema, view_name=name, label=label, depends_on=frozenset())


PIPELINE = view(1, "analytics", "pipeline_kpis", "analytics.pipeline_kpis")
ODD = view(2, "analytics", 'Odd "Name', 'analytics."Odd ""Name"')
SPACED = view(3, "Sales Data", "by month", '"Sales Data"."by month"')
CAPITAL = view(4, "analytics", "Revenue", 'analytics."Revenue"')
TWIN = view(5, "staging", "twin", "staging.twin")
OTHER_TWIN = view(6, "analytics", "twin", "analytics.twin")
ALL = [PIPELINE, ODD, SPACED, CAPITAL, TWIN, OTHER_TWIN]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pipeline_kpis", PIPELINE),
        ("analytics.pipeline_kpis", PIPELINE),
        ("Analytics.Pipeline_KPIs", PIPELINE),
        ('analytics."pipeline_kpis"', PIPELINE),
        (" pipeline_kpis ", PIPELINE),
        ('Odd "Name', ODD),
        ('"Odd ""Name"', ODD),
        ('analytics."Odd ""Name"', ODD),
        ("by month", SPACED),
        ("Sales Data.by month", SPACED),
        ('"Sales Data"."by month"', SPACED),
        ("Revenue", CAPITAL),
        ("staging.twin", TWIN),
    ],
)
def test_any_spelling_will_do(name, meant):
    assert select_views([name], ALL) == [meant]


@pytest.mark.parametrize("name", ["nope", "", "revenue", "public.pipeline_kpis", "x; drop table y"])
def test_an_unknown_name_is_refused_with_those_there_are(name):
    with pytest.raises(UnknownViewError) as refused:
        select_views(["pipeline_kpis", name], ALL)
    assert repr(name) in str(refused.value)
    assert 'analytics."Odd ""Name"' in str(refused.value)


def test_a_name_that_fits_two_schemas_is_refused():
    with pytest.raises(
        UnknownViewError, match=r"'twin' is ambiguous; expected one of: staging.twin, "
    ):
        select_views(["twin"], ALL)


def test_a_view_is_meant_once():
    assert select_views(["pipeline_kpis", "analytics.pipeline_kpis"], ALL) == [PIPELINE]


def test_without_views_the_message_says_so():
    with pytest.raises(UnknownViewError, match="expected one of: none"):
        select_views(["pipeline_kpis"], [])


def test_all_mistakes_are_named():
    with pytest.raises(UnknownViewError) as refused:
        select_views(["nope", "twin", "pipeline_kpis", "no"], ALL)
    message = str(refused.value)
    assert "found: 'nope', 'no'; expected" in message
    assert "'twin' is ambiguous" in message
