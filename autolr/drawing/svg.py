"""Small charts as inline SVG, coloured by the style sheet of the page around them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

Point = tuple[float, float]

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 28, 40  # units of the view box
_BEYOND = 20.0  # lengths of an axis by which a clipped line may leave it: keeps coordinates small
_LARGE = 600  # from this width on, text is enlarged on phones
_TICK = 6  # intervals on an axis, at most: more labels would touch


@dataclass(frozen=True, slots=True)
class Axis:
    """The values from ``low`` to ``high``; with ``log`` both above 0.

    With ``names`` they are choices: 0 is the first one.
    """

    low: float
    high: float
    label: str
    log: bool = False
    names: tuple[str, ...] = ()

    @classmethod
    def over(cls, values: Iterable[float], label: str, *, log: bool = False) -> "Axis":
        """Return an axis with all finite values and a margin.

        Args:
            values: Values to show; with ``log`` all above 0.
            label: Its label.
            log: Whether it is logarithmic.
        """
        finite = [x for x in values if math.isfinite(x)] or [1.0]
        low, high = min(finite), max(finite)
        if log:
            margin = (high / low) ** 0.05 if high > low else 2.0
            return cls(low / margin, high * margin, label, log)
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - margin, high + margin, label)

    @classmethod
    def of_scores(cls, values: Iterable[float], label: str, *, falling: bool = True) -> "Axis":
        """Return `over`, logarithmic if ``falling`` values span more than a factor of ten.

        Args:
            values: Scores.
            label: Its label.
            falling: Whether lower scores are better.
        """
        finite = [x for x in values if math.isfinite(x)]
        log = falling and bool(finite) and min(finite) > 0 and max(finite) > 10 * min(finite)
        return cls.over(finite, label, log=log)

    @classmethod
    def of_choices(cls, names: Sequence[str], label: str) -> "Axis":
        """Return an axis on which choice k is at k.

        Args:
            names: The choices.
            label: Its label.
        """
        return cls(-0.5, len(names) - 0.5, label, names=tuple(names))

    def reaching(self, values: Iterable[float]) -> "Axis":
        """Return it extended to further values, at each end by at most half its length."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        shown = [self._scaled(x) for x in values if math.isfinite(x) and (x > 0 or not self.log)]
        first = max(min([low, *shown]), low - (high - low) / 2)
        last = min(max([high, *shown]), high + (high - low) / 2)
        back = math.exp if self.log else float
        return replace(self, low=back(first), high=back(last))

    def share(self, value: float, beyond: float = 0.0) -> float:
        """Return the position of a value, 0 to 1 on the axis, clipped ``beyond`` outside it.

        Args:
            value: In the unit of the axis; on a log axis, 0 and less lie at its lower end.
            beyond: How far outside the axis a position may lie, in lengths of the axis.
        """
        low, high = self._scaled(self.low), self._scaled(self.high)
        at = self._scaled(value) if value > 0 or not self.log else -math.inf
        return min(max((at - low) / (high - low), -beyond), 1.0 + beyond)

    def ticks(self) -> list[float]:
        """Return round values on the axis, at most 7.

        >>> Axis(0.0, 1000.0, "").ticks()
        [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
        >>> Axis(0.002, 2.0, "", log=True).ticks()
        [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
        """
        if self.names:
            return [float(index) for index in range(len(self.names))]
        if self.log:
            return self._decades()
        raw = (self.high - self.low) / _TICK
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= raw * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [float(f"{index * step:.12g}") for index in range(first, last + 1)]

    def text(self, tick: float) -> str:
        """Return the label of a tick.

        >>> axis = Axis(0.0, 3e6, "step")
        >>> [axis.text(tick) for tick in (500.0, 20000.0, 2.5e6)]
        ['500', '20k', '2.5M']
        """
        if self.names:
            return self.names[round(tick)]
        for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
            if abs(tick) >= size:
                return f"{tick / (1e3 if letter == 'k' else size):g}{letter}"
        return f"{tick:g}"

    def _decades(self) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for digits in ((1, 2, 5), (1, 3), (1,)):
            ticks = [float(f"{n}e{k}") for k in range(first, last + 1) for n in digits]
            ticks = [tick for tick in ticks if self.low <= tick <= self.high]
            if len(ticks) <= _TICK:
                return ticks
        return ticks[:: math.ceil(len(ticks) / _TICK)]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value


@dataclass(frozen=True, slots=True)
class Frame:
    """Two axes. Its methods return marks, which `svg` joins to a chart."""

    x: Axis
    y: Axis
    height: int = 276
    width: int = 720

    @property
    def left(self) -> int:
        """Where the marks begin."""
        return _LEFT

    def line(self, points: Iterable[Point], style: str) -> str:
        """Return a line through points.

        Args:
            points: (x, y) in the units of the axes; values outside lie at the edge.
            style: A class of the style sheet.
        """
        return f'<polyline class="{style}" points="{self._path(points)}"/>'

    def cut(self, lines: Iterable[tuple[str, Iterable[Point]]]) -> str:
        """Return lines, each with a style, clipped at the axes."""
        across, up = self._size
        box = f'x="{_LEFT}" y="{_TOP}" width="{across}" height="{up}"'
        shown = "".join(
            f'<polyline class="{style}" points="{self._path(points, _BEYOND)}"/>'
            for style, points in lines
        )
        return f'<svg class="cut" {box} viewBox="{_LEFT} {_TOP} {across} {up}">{shown}</svg>'

    def area(self, low: Sequence[Point], high: Sequence[Point], style: str) -> str:
        """Return the area between two lines.

        Args:
            low: Lower line, (x, y) in the units of the axes, by rising x.
            high: Upper line, likewise.
            style: A class of the style sheet.
        """
        return f'<polygon class="{style}" points="{self._path([*low, *reversed(high)])}"/>'

    def dot(self, point: Point, style: str, title: str, radius: float = 4.5) -> str:
        """Return a dot with a tooltip.

        Args:
            point: (x, y) in the units of the axes.
            style: A class of the style sheet.
            title: The text of the tooltip.
            radius: In units of the view box.
        """
        x, y = self._place(point)
        tooltip = f"<title>{escape(title)}</title>"
        return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{tooltip}</circle>'

    def upright(self, x: float, style: str) -> str:
        """Return a line from the bottom to the top.

        Args:
            x: In the unit of the x axis.
            style: A class of the style sheet.
        """
        return self.line([(x, self.y.low), (x, self.y.high)], style)

    def svg(self, *marks: str, label: str) -> str:
        """Return the chart.

        Args:
            marks: SVG elements, the last on top.
            label: A description for screen readers.
        """
        box = f"0 0 {self.width} {self.height}"
        size = "large" if self.width >= _LARGE else "small"
        opening = f'<svg class="{size}" viewBox="{box}" role="img" aria-label="{escape(label)}">'
        return f"{opening}\n{self.body(*marks)}\n</svg>"

    def body(self, *marks: str) -> str:
        """Return the content of `svg`."""
        return "\n".join([*self._grid(), *marks, *self._labels()])

    def _grid(self) -> list[str]:
        lines = [[(self.x.low, tick), (self.x.high, tick)] for tick in self.y.ticks()]
        base = [(self.x.low, self.y.low), (self.x.high, self.y.low)]
        return [*(self.line(line, "grid") for line in lines), self.line(base, "axis")]

    def _labels(self) -> list[str]:
        texts = []
        for tick in self.x.ticks():
            x, y = self._place((tick, self.y.low))
            texts.append(_text(x, y + 16, self.x.text(tick), "middle"))
        for tick in self.y.ticks():
            x, y = self._place((self.x.low, tick))
            texts.append(_text(x - 8, y + 4, self.y.text(tick), "end"))
        middle = (_LEFT + self.width - _RIGHT) / 2
        texts.append(_text(middle, self.height - 6, self.x.label, "middle", "name"))
        return [*texts, _text(4, 16, self.y.label, "start", "name")]

    def _path(self, points: Iterable[Point], beyond: float = 0.0) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._place(p, beyond) for p in points))

    def _place(self, point: Point, beyond: float = 0.0) -> Point:
        across, up = self._size
        x, y = self.x.share(point[0], beyond), self.y.share(point[1], beyond)
        return _LEFT + across * x, _TOP + up * (1 - y)

    @property
    def _size(self) -> tuple[int, int]:
        return self.width - _LEFT - _RIGHT, self.height - _TOP - _BOTTOM


def _text(x: float, y: float, text: str, anchor: str, style: str = "tick") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'
