"""Generate SQL expressions of values of every type, with their extremes, alone and inside other types."""

import json
from datetime import timedelta

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
YEARS = st.integers(-4711, 294_275)
DAYS = st.one_of(
    st.sampled_from(["infinity", "-infinity", "4714-11-24 BC", "0001-01-01", "9999-12-31"]),
    st.builds(lambda year: f"{abs(year) + 1:04}-02-28{' BC' if year < 0 else ''}", YEARS),
)
CLOCKS = st.builds(
    lambda delta: (
        f"{delta // timedelta(hours=1):02}:{delta // timedelta(minutes=1) % 60:02}:00.{delta.microseconds:06}"
    ),
    st.timedeltas(timedelta(0), timedelta(hours=23, minutes=59, microseconds=999_999)),
)
TIMES = st.one_of(st.just("24:00"), CLOCKS)
INSTANTS = st.builds(
    lambda day, time: day if "infinity" in day or "BC" in day else f"{day} {time}", DAYS, CLOCKS
)
SPANS = st.builds(
    "{} years {} mons {} days {:.6f} secs".format,
    st.integers(-170_000_000, 170_000_000),
    st.integers(-11, 11),
    st.integers(-100_000, 100_000),
    st.floats(-1e9, 1e9),
)
NUMERALS = st.one_of(
    st.sampled_from(["NaN", "Infinity", "-Infinity", "0", "-0.4", "9" * 400, "1e-300", f"{'9' * 40}.{'9' * 40}"]),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)  # fmt: skip
FLOATS = st.one_of(st.sampled_from(["NaN", "-inf", "5e-324", "1.7976931348623157e308"]), st.floats(allow_nan=False, allow_infinity=False).map(repr))  # fmt: skip
JSON = st.recursive(
    st.one_of(st.just("null"), st.integers().map(str), TEXTS.map(lambda text: json.dumps(text).replace("\\u0000", ""))),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
    max_leaves=8,
)  # fmt: skip

LITERALS = {
    "int2": st.integers(-(2**15), 2**15 - 1).map(str),
    "int4": st.integers(-(2**31), 2**31 - 1).map(str),
    "int8": st.integers(-(2**63), 2**63 - 1).map(str),
    "oid": st.integers(0, 2**32 - 1).map(str),
    "xid8": st.integers(0, 2**63).map(str),
    "numeric": NUMERALS,
    "numeric(12,2)": st.sampled_from(["NaN", "1234567890.12", "-0.004"]),
    "numeric(4,-2)": st.sampled_from(["1200", "-990000", "NaN"]),
    "float4": st.sampled_from(["NaN", "infinity", "3.4028235e38", "1e-45", "0.1"]),
    "float8": FLOATS,
    "money": st.integers(-(2**52), 2**52).map(str),
    "bool": st.sampled_from(["t", "f"]),
    "date": DAYS,
    "timestamp": INSTANTS,
    "timestamptz": INSTANTS,
    "time": TIMES,
    "timetz": TIMES.map("{}+14".format),
    "interval": SPANS,
    "text": TEXTS,
    "varchar(9)": TEXTS.map(lambda text: text[:9]),
    "char(5)": TEXTS.map(lambda text: text[:5]),
    '"char"': st.sampled_from(["x", "\xe9", ""]),
    "name": TEXTS.map(lambda text: text[:9]),
    "bytea": st.binary(max_size=9).map(lambda data: "\\x" + data.hex()),
    "uuid": st.uuids().map(str),
    "inet": st.ip_addresses().map(str),
    "cidr": st.ip_addresses().map(str),
    "macaddr": st.just("08:00:2b:01:02:03"),
    "macaddr8": st.just("08:00:2b:01:02:03:04:05"),
    "bit(3)": st.just("101"),
    "varbit": st.text("01", max_size=99),
    "json": JSON,
    "jsonb": JSON.filter(lambda text: "\\u" not in text),
    "jsonpath": st.just("$.a[*] ? (@ > 1)"),
    "point": st.sampled_from(["(1,2)", "(NaN,-inf)", "(1e308,5e-324)"]),
    "line": st.just("{1,2,3}"),
    "lseg": st.just("[(0,0),(1,1)]"),
    "box": st.just("(1,1),(0,0)"),
    "path": st.just("((0,0),(1,1))"),
    "polygon": st.just("((0,0),(1,1),(0,1))"),
    "circle": st.just("<(1,1),5>"),
    "tsvector": TEXTS.map(lambda text: "".join(c for c in text if c.isalnum()) or "a"),
    "tsquery": st.just("a & b | !c"),
    "pg_lsn": st.just("16/B374D848"),
    "pg_snapshot": st.just("10:20:10,14,15"),
    "int4range": st.sampled_from(["empty", "[1,5)", "(,)"]),
    "numrange": st.sampled_from(["[1.5,infinity)", "(,NaN]"]),
    "daterange": st.sampled_from(["[2024-01-01,)", "[-infinity,infinity]"]),
    "tstzmultirange": st.sampled_from(["{}", "{[2024-01-01,2025-01-01),[2026-01-01,)}"]),
    "regclass": st.just("pg_class"),
    "refcursor": TEXTS,
    "aclitem": st.just("=r/analytics_reader"),
}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


SCALARS = st.sampled_from(sorted(LITERALS)).flatmap(
    lambda name: LITERALS[name].map(lambda text: f"{_quoted(text)}::{name}")
)
WRAPPERS = ("{}", "{}", "array[{}, null]", "array[array[{}]]", "row({}, null)", "array[row({})]", "coalesce({}, null)")  # fmt: skip
VALUES = st.builds(lambda wrapper, value: wrapper.format(value), st.sampled_from(WRAPPERS), SCALARS)
