"""Plots as SVG, drawn here: a curve, dots with a title to hover over, and axes with their words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from msgspec import Struct

WIDTH, HEIGHT = 480, 320
LEFT, RIGHT, TOP, BOTTOM = 72, 32, 16, 48


class Axis(Struct, frozen=True):
    low: float
    high: float
    marks: tuple[float, ...]  # shares, written in percent

    def at(self, value: float) -> float:
        """0..1 along the axis; what lies beyond is drawn at its end."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


APART = 40  # units between two labels


class Plot:
    def __init__(self, across: Axis, up: Axis, across_words: str, up_words: str) -> None:
        self._across, self._up = across, up
        self._words = across_words, up_words
        self._drawn: list[str] = []
        self._labelled = -float(APART)

    def line(self, points: Sequence[tuple[float, float]]) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._place(*point) for point in points))
        self._drawn.append(f'<polyline class="curve" points="{path}"/>')

    def ideal(self) -> None:
        """The diagonal."""
        (x1, y1), (x2, y2) = self._place(0.0, 0.0), self._place(1.0, 1.0)
        self._drawn.append(f'<line class="ideal" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def dot(self, across: float, up: float, title: str, label: str = "") -> None:
        x, y = self._place(across, up)
        words = ""
        if label and x - self._labelled >= APART:  # a dot close to the last one has its title
            self._labelled = x
            words = f'<text class="label" x="{x:.1f}" y="{y - 10:.1f}" text-anchor="middle">{escape(label)}</text>'
        self._drawn.append(
            f'<g><title>{escape(title)}</title><circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>{words}</g>'
        )

    def svg(self, what: str) -> str:
        """`what` it shows, for those who cannot see it."""
        inside = "".join((*self._grid(), *self._drawn))
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(what)}">{inside}</svg>'

    def _place(self, across: float, up: float) -> tuple[float, float]:
        x = LEFT + self._across.at(across) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - self._up.at(up) * (HEIGHT - TOP - BOTTOM)

    def _grid(self) -> list[str]:
        end, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
        found = []
        for mark in self._up.marks:
            _, y = self._place(self._across.low, mark)
            found.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>')
            found.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_percent(mark)}</text>')
        for mark in self._across.marks:
            x, _ = self._place(mark, self._up.low)
            found.append(f'<text x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{_percent(mark)}</text>')
        across, up = map(escape, self._words)
        found.append(f'<text x="{(LEFT + end) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{across}</text>')
        middle = (TOP + floor) / 2
        found.append(
            f'<text transform="rotate(-90 12 {middle})" x="12" y="{middle}" text-anchor="middle">{up}</text>'
        )
        return found


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
