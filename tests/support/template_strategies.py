"""Templates as Hypothesis makes them: expressions, filters, loops and conditions, mostly wrong."""

from hypothesis import strategies as st

names = st.sampled_from(["rule", "worst", "count", "unit", "missing", "loop", "range", "x"])
atoms = st.one_of(
    names,
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(st.characters(blacklist_characters="'\\{}%#\n\r"), max_size=8).map("'{}'".format),
    st.sampled_from(["none", "true", "''", "'{:>9999}'", "'%s'", "[]", "{}", "1e400"]),
)
operators = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "**", "~", "<", "==", "in", "and", "or", "is", "not in"]
)
members = st.sampled_from(["items", "join", "format", "replace", "key", "0", "__class__", "index"])
filter_names = st.sampled_from(
    [
        "abs",
        "batch",
        "count",
        "default",
        "dictsort",
        "e",
        "first",
        "float",
        "groupby",
        "int",
        "items",
        "join",
        "last",
        "length",
        "list",
        "map",
        "max",
        "min",
        "number",
        "reject",
        "replace",
        "reverse",
        "round",
        "safe",
        "select",
        "slice",
        "sort",
        "string",
        "sum",
        "title",
        "tojson",
        "trim",
        "truncate",
        "unique",
        "upper",
        "urlencode",
        "wordcount",
        "center",
        "indent",
        "attr",
    ]
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, filter_names, arguments).map(lambda t: f"({t[0]}|{t[1]}({t[2]}))"),
        st.tuples(inner, filter_names).map(lambda t: f"({t[0]}|map('{t[1]}'))"),
        st.tuples(inner, members).map(lambda t: f"{t[0]}.{t[1]}"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]}[{t[1]}:{t[2]}]"),
        st.tuples(inner, arguments).map(lambda t: f"{t[0]}({t[1]})"),
        arguments.map("[{}]".format),
        st.tuples(inner, inner).map(lambda t: f"{{{t[0]}: {t[1]}}}"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
    )


expressions = st.recursive(atoms, grown, max_leaves=8)
templates = st.recursive(
    expressions.map("{{{{ {} }}}}".format) | st.text(max_size=10),
    lambda inner: st.one_of(
        st.tuples(expressions, inner).map(lambda t: f"{{% for x in {t[0]} %}}{t[1]}{{% endfor %}}"),
        st.tuples(expressions, inner).map(lambda t: f"{{% if {t[0]} %}}{t[1]}{{% endif %}}"),
        st.tuples(inner, inner).map("".join),
    ),
    max_leaves=4,
)
