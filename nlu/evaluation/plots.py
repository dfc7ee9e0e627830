"""Plots as SVG, drawn here: a curve, dots with a title to hover over, and axes with their words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from msgspec import Struct

WIDTH, HEIGHT = 480, 320
LEFT, RIGHT, TOP, BOTTOM = 92, 32, 16, 60  # room for letters of a phone, which are larger on the same drawing
DOT = 4
LETTER, LINE = 9, 20  # of a label on a phone
# Where a label can stand, seen from its dot: what is free is taken, the nearest first, and rather above than beside.
PLACES = sorted(
    (
        (across, down)
        for across in (0, -34, 34)
        for down in (-18, 20, -38, -2, 40, -58, 60)
        if across or down != -2
    ),
    key=lambda place: abs(place[0]) + abs(place[1]),
)


class Axis(Struct, frozen=True):
    low: float
    high: float
    marks: tuple[float, ...]  # shares, written in percent

    def at(self, value: float) -> float:
        """0..1 along the axis; what lies beyond is drawn at its end."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


class Box(Struct, frozen=True):
    """Around a middle: half as wide, half as high."""

    x: float
    y: float
    wide: float
    high: float

    def touches(self, other: Box) -> bool:
        return (
            abs(self.x - other.x) < self.wide + other.wide and abs(self.y - other.y) < self.high + other.high
        )

    def is_inside(self) -> bool:
        return (
            self.x - self.wide >= LEFT
            and self.x + self.wide <= WIDTH
            and self.y >= TOP
            and self.y + self.high <= HEIGHT - BOTTOM
        )


class Dot(Struct, frozen=True):
    x: float
    y: float
    title: str
    label: str

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, DOT, DOT)

    def places(self) -> Iterator[Box]:
        for across, down in PLACES:
            yield Box(self.x + across, self.y + down, len(self.label) * LETTER / 2, LINE / 2)


class Plot:
    def __init__(self, across: Axis, up: Axis, across_words: str, up_words: str) -> None:
        self._across, self._up = across, up
        self._words = across_words, up_words
        self._drawn: list[str] = []
        self._dots: list[Dot] = []

    def line(self, points: Sequence[tuple[float, float]]) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._place(*point) for point in points))
        self._drawn.append(f'<polyline class="curve" points="{path}"/>')

    def ideal(self) -> None:
        """The diagonal."""
        (x1, y1), (x2, y2) = self._place(0.0, 0.0), self._place(1.0, 1.0)
        self._drawn.append(f'<line class="ideal" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def dot(self, across: float, up: float, title: str, label: str = "") -> None:
        self._dots.append(Dot(*self._place(across, up), title, label))

    def svg(self, what: str) -> str:
        """`what` it shows, for those who cannot see it."""
        inside = "".join((*self._grid(), *self._drawn, *map(_circle, self._dots), *self._labels()))
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(what)}">{inside}</svg>'

    def _labels(self) -> Iterator[str]:
        taken = [dot.box for dot in self._dots]
        for dot in self._dots:
            free = (box for box in dot.places() if box.is_inside() and not any(map(box.touches, taken)))
            if dot.label and (box := next(free, None)):
                taken.append(box)
                yield _text("label", box.x, box.y + 5, dot.label)

    def _place(self, across: float, up: float) -> tuple[float, float]:
        x = LEFT + self._across.at(across) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - self._up.at(up) * (HEIGHT - TOP - BOTTOM)

    def _grid(self) -> Iterator[str]:
        end, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
        for mark in self._up.marks:
            _, y = self._place(self._across.low, mark)
            yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{_percent(mark)}</text>'
        for mark in self._across.marks:
            x, _ = self._place(mark, self._up.low)
            yield _text("", x, floor + 22, _percent(mark))
        across, up = self._words
        yield _text("", (LEFT + end) / 2, HEIGHT - 10, across)
        middle = (TOP + floor) / 2
        turned = f'transform="rotate(-90 16 {middle})"'
        yield f'<text {turned} x="16" y="{middle}" text-anchor="middle">{escape(up)}</text>'


def _circle(dot: Dot) -> str:
    title = f"<title>{escape(dot.title)}</title>"
    return f'<g>{title}<circle class="dot" cx="{dot.x:.1f}" cy="{dot.y:.1f}" r="{DOT}"/></g>'


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(words)}</text>'


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
