"""A diagnosis on the console."""

from rich.table import Table
from rich.text import Text

from autolr.doctor.finding import Section

_STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def section_table(section: Section) -> Table:
    """Return a section as a table without lines; long texts are folded in their column."""
    table = Table(
        title=Text(section.title, "bold"),
        title_justify="left",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in section.findings:
        level = Text(f"  {finding.level}", _STYLES[finding.level])
        table.add_row(level, Text(finding.topic), Text(finding.text))
    return table
