"""Compare the parts of a report as they were sent with those of now.

Reads nothing, writes nothing. Numbers are compared exactly; those in double precision to nine digits, because
their sums depend on the order of the addends.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple

from analytics_worker.presentation.exact_numbers import change as difference
from flows.reports.output.document import MAX_CHART_POINTS
from flows.reports.restatement.parts import Part, PartKey, PartKind

TOLERANCE = Decimal("1e-9")
ROWS = "rows"


class Change(NamedTuple):
    """A number that is not as it was sent; of a table, its number of rows, or the hashes of its content."""

    part: PartKind
    position: int
    title: str
    label: str
    before: str | None
    after: str | None
    unit: str = ""
    decimals: int = 0

    @property
    def key(self) -> PartKey:
        """The part that it belongs to."""
        return self.part, self.position

    @property
    def place(self) -> tuple[PartKind, int, str]:
        """What identifies the number within its run; a table is one place."""
        return self.part, self.position, "" if self.part == "table" else self.label


class Movement(NamedTuple):
    """How a part compares with the comparison before: as sent again (`held`), or with another change."""

    key: PartKey
    held: int
    moved: int


class Comparison(NamedTuple):
    """The changes of a run's parts, those that are as they were sent, and those that can't be read now."""

    changes: list[Change]
    same: list[Part]
    failed: list[Part]


def compare(sent: Iterable[Part], now: Iterable[Part]) -> Comparison:
    """Compare parts with what their SQL returns now."""
    result = Comparison([], [], [])
    current = {part.key: part for part in now}
    for part in sent:
        found = current[part.key]
        if found.problem:
            result.failed.append(found)
        elif changes := changes_of(part, found):
            result.changes.extend(changes)
        else:
            result.same.append(part)
    return result


def changes_of(sent: Part, now: Part) -> list[Change]:
    """Return what is different in a part."""
    if sent.kind == "table":
        return list(_table_changes(sent, now))
    before, after = _numbers(sent), _numbers(now)
    # What a chart that has the first points only lacks may be there.
    pairs_of = zip if _is_shortened(sent) or _is_shortened(now) else zip_longest
    is_approximate = sent.is_approximate or now.is_approximate
    return [
        _change(sent, f"{label} ({number})" if number > 1 else label, *pair)
        for label in dict.fromkeys([*before, *after])
        for number, pair in enumerate(
            pairs_of(*_unequal(before.get(label, ()), after.get(label, ()))), 1
        )
        if _is_different(*pair, is_approximate=is_approximate)
    ]


def _is_shortened(part: Part) -> bool:
    counts = Counter(point.series for point in part.points)
    return max(counts.values(), default=0) >= MAX_CHART_POINTS


def _numbers(part: Part) -> dict[str, list[str | None]]:
    """Return the numbers by their label, which may have several."""
    has_series = len({point.series for point in part.points}) > 1
    numbers: dict[str, list[str | None]] = {}
    for point in part.points:
        label = f"{point.label}, {point.series}" if has_series else point.label
        numbers.setdefault(label, []).append(point.number)
    return numbers


def _unequal(
    before: Sequence[str | None], after: Sequence[str | None]
) -> tuple[list[str | None], list[str | None]]:
    """Return the numbers of a label that only one side has, by size: their order says nothing."""
    first, second = Counter(before), Counter(after)
    return _by_size(first - second), _by_size(second - first)


def _by_size(numbers: Counter[str | None]) -> list[str | None]:
    return sorted(numbers.elements(), key=lambda each: (each is not None, float(each or 0)))


def _is_different(before: str | None, after: str | None, *, is_approximate: bool) -> bool:
    if before == after:
        return False
    if before is None or after is None:
        return True
    numbers = Decimal(before), Decimal(after)
    if not all(number.is_finite() for number in numbers):
        return True
    size = abs(difference(*numbers))
    return size > TOLERANCE * max(map(abs, numbers)) if is_approximate else bool(size)


def _change(part: Part, label: str, before: str | None, after: str | None) -> Change:
    return Change(
        part.kind, part.position, part.title, label, before, after, part.unit, part.decimals
    )


def _table_changes(sent: Part, now: Part) -> Iterator[Change]:
    if sent.rows != now.rows:
        yield _change(sent, ROWS, str(sent.rows), str(now.rows))
    elif sent.hash != now.hash or not _are_sums_equal(sent, now):
        yield _change(sent, "", _content(sent), _content(now))


def _are_sums_equal(sent: Part, now: Part) -> bool:
    """Whether the sums of the columns in double precision are equal, measured by their absolute values."""
    return all(
        before == after or _is_close(before[0], after[0], before[1], after[1])
        for before, after in zip(sent.sums, now.sums, strict=True)
    )


def _is_close(before: str | None, after: str | None, *sizes: str | None) -> bool:
    if before is None or after is None:
        return before is after
    largest = max(Decimal(size or 0) for size in sizes)
    return abs(difference(Decimal(before), Decimal(after))) <= TOLERANCE * largest


def _content(part: Part) -> str:
    """Return what stands for the content of a table: stable where only the last digits of sums differ."""
    return "/".join([part.hash or "", *(f"{float(total or 0):.5g}" for total, _ in part.sums)])


def movements(
    before: Sequence[Change], after: Sequence[Change], compared: Iterable[PartKey]
) -> list[Movement]:
    """Return how each part moved since the comparison before."""
    earlier, later = _by_part(before), _by_part(after)
    return [
        Movement(
            key,
            held=int(key not in earlier and key not in later),
            moved=int(key in later and later[key] != earlier.get(key)),
        )
        for key in compared
    ]


def _by_part(changes: Sequence[Change]) -> Mapping[PartKey, list[Change]]:
    parts: dict[PartKey, list[Change]] = {}
    for each in changes:
        parts.setdefault(each.key, []).append(each)
    return parts
