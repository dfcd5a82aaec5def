"""Draw scaling curves as SVG, on logarithmic axes, readable on light and dark pages."""

import math
from collections.abc import Sequence
from html import escape

from benchmarks._scaling_plot import Curve

WIDTH, HEIGHT = 680, 320
LEFT, RIGHT, TOP, BOTTOM = 68, 32, 16, 44
LEGEND_LINE = 18
COLORS = ("#2f6fd0", "#d0672f", "#2f9e62", "#9a4fc4")
STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#444}.grid{stroke:#8884;stroke-width:1}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>"
)


def svg(lines: Sequence[Curve]) -> str:
    """Return a picture with all lines and a legend below."""
    height = HEIGHT + LEGEND_LINE * len(lines)
    x_scale = _Scale([size for c in lines for size, _ in c.points], LEFT, WIDTH - RIGHT)
    y_scale = _Scale([value for c in lines for _, value in c.points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        STYLE,
        *(_vertical(x_scale, tick) for tick in x_scale.ticks()),
        *(_horizontal(y_scale, tick, lines[0].unit) for tick in y_scale.ticks()),
        _axis_label(lines[0].size),
        *(_line(curve, number, x_scale, y_scale) for number, curve in enumerate(lines)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axis_label(label: str) -> str:
    x = (LEFT + WIDTH) / 2
    return f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="middle">{escape(label)}</text>'


class _Scale:
    """A logarithmic axis that begins and ends at a power of ten."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(values))))
        self._first, self._last = first, last

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return round(self._first + share * (self._last - self._first), 1)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self._low, self._high + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _vertical(scale: _Scale, tick: float) -> str:
    x = scale.at(tick)
    line = f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    label = f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_number(tick)}</text>'
    return line + label


def _horizontal(scale: _Scale, tick: float, unit: str) -> str:
    y = scale.at(tick)
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
    label = f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{_number(tick)} {unit}</text>'
    return line + label


def _line(curve: Curve, number: int, x_scale: _Scale, y_scale: _Scale) -> str:
    color = COLORS[number % len(COLORS)]
    points = [(x_scale.at(size), y_scale.at(value)) for size, value in curve.points]
    path = " ".join(f"{x},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>' for x, y in points)
    y = HEIGHT + LEGEND_LINE * number + 4
    legend = (
        f'<line x1="{LEFT}" x2="{LEFT + 20}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="2"/>'
    )
    legend += f'<text x="{LEFT + 28}" y="{y + 4}">{escape(curve.name)}</text>'
    return (
        f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>{dots}{legend}'
    )
