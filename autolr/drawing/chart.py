"""A chart with its key, for a page or as an SVG file."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from autolr.drawing.sheet import figure_style, key
from autolr.drawing.svg import Frame

_LETTER = 6.6  # units of the view box: the mean width of a letter of 12 px
_FONT = "font-family: system-ui, sans-serif; color: #1b1f24"
_ROW = 20  # units of the view box: the height of a row of the key


@dataclass(frozen=True, slots=True)
class Chart:
    """Marks in a frame, with a key.

    Attributes:
        frame: Its axes.
        marks: SVG elements, the last on top.
        label: A description for screen readers.
        key: Style and text of each entry; an entry without a style is a remark.
    """

    frame: Frame
    marks: tuple[str, ...]
    label: str
    key: tuple[tuple[str, str], ...] = ()

    def html(self) -> str:
        """Return it for a page with the style sheet of `autolr.drawing.sheet`."""
        below = key(self.key) if self.key else ""
        return self.frame.svg(*self.marks, label=self.label) + below

    def file(self) -> str:
        """Return it as an SVG file, in light colours, with its key below."""
        rows = list(self._rows())
        height = self.frame.height + (len(rows) and rows[-1][1] + _ROW)
        box = f'viewBox="0 0 {self.frame.width} {height}"'
        size = f'width="{self.frame.width}" height="{height}"'
        texts = "\n".join(self._entry(x, y, *entry) for x, y, entry in rows)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} {size} style="{_FONT}">'
            f"<title>{escape(self.label)}</title><style>{figure_style()}</style>\n"
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
            f"{self.frame.body(*self.marks)}\n{texts}</svg>\n"
        )

    def _rows(self) -> Iterator[tuple[float, int, tuple[str, str]]]:
        """Yield the position of each entry of the key, in rows that fit the width."""
        x, y = float(self.frame.left), 0
        for style, text in self.key:
            width = _LETTER * len(text) + 34
            if x + width > self.frame.width and x > self.frame.left:
                x, y = float(self.frame.left), y + _ROW
            yield x, y, (style, text)
            x += width

    def _entry(self, x: float, y: float, style: str, text: str) -> str:
        middle = self.frame.height + y + 6
        filled = "" if "hollow" in style else " kept"
        dot = f'<circle class="{style}{filled}" cx="{x + 5:.1f}" cy="{middle}" r="4.5"/>'
        return (
            f'{dot if style else ""}<text x="{x + 15:.1f}" y="{middle + 4}">{escape(text)}</text>'
        )
