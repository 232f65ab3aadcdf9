"""A table that leaves out columns where it is wider than the terminal."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_WORDS = 20  # characters that a column of sentences has at least, so that its rows stay short


@dataclass(frozen=True, slots=True)
class FittingTable:
    """Rows of text, for a rich console. A number is never broken: columns are left out instead.

    Args:
        columns: Their names; a name may stand twice.
        rows: A text for each column.
        expendable: Positions of the columns that may be left out, the first ones first.
        everything: The command that has all columns, for the line below such a table.
        sentences: The position of a column that is not left out, but written below the table: a
            line for each text, with the rows that have it by their first cell.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    expendable: Sequence[int]
    everything: str
    sentences: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        """Yield the table, the sentences of its rows, and the names of what is left out."""
        shown, left_out = list(range(len(self.columns))), []
        first = [] if self.sentences is None else [self.sentences]
        for column in (*first, *self.expendable):
            needed = Measurement.get(console, options.update(width=10_000), self._table(shown))
            if needed.minimum <= options.max_width:
                break
            shown.remove(column)
            if column != self.sentences:
                left_out.append(self.columns[column])
        yield self._table(shown)
        if self.sentences is not None and self.sentences not in shown:
            yield from self._below(self.sentences)
        if left_out:
            names = ", ".join(left_out)
            yield Text(f"too wide for this terminal: {names} ({self.everything})")

    def _below(self, column: int) -> Iterator[Text]:
        named = defaultdict(list)
        for row in self.rows:
            if row[column]:
                named[row[column]].append(row[0])
        for text, rows in sorted(named.items(), key=lambda item: -len(item[1])):
            head = self.columns[0] + ("s" if len(rows) > 1 else "")
            yield Text(f"{head} {', '.join(rows)}: {text}")

    def _table(self, shown: Sequence[int]) -> Table:
        table = Table(box=SIMPLE, pad_edge=False)
        for column in shown:
            words = any(" " in row[column] for row in self.rows)  # may be folded between them
            name = self.columns[column]  # a head of several words is not folded either
            least = min(_WORDS, max(len(row[column]) for row in self.rows)) if words else len(name)
            table.add_column(name, overflow="fold", no_wrap=not words, min_width=least)
        for row in self.rows:
            table.add_row(*(row[column] for column in shown))
        return table
