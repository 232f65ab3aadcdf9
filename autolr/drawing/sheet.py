"""The style sheet of all pages, and the parts that pages are built from."""

import re
from collections.abc import Iterable, Mapping
from html import escape

_LIGHT = {
    "page": "#ffffff",
    "card": "#f6f7f9",
    "edge": "#e3e6ea",
    "text": "#1b1f24",
    "soft": "#626b76",
    "run": "#1f5fd6",
    "bad": "#c9322b",
    "c0": "#1f5fd6",
    "c1": "#c2620a",
    "c2": "#17805b",
    "c3": "#8a3fb8",
    "c4": "#5c6773",
}
_DARK = {
    "page": "#13161a",
    "card": "#1b1f25",
    "edge": "#2c323a",
    "text": "#e6e9ed",
    "soft": "#98a2ae",
    "run": "#7fabff",
    "bad": "#ff7b72",
    "c0": "#7fabff",
    "c1": "#f0a35e",
    "c2": "#55c79a",
    "c3": "#cf9bf0",
    "c4": "#a3adb8",
}
COLOURS = 5  # c0 to c4

_CHARTS = """
svg text { fill: var(--soft); font-size: 12px; } svg .name { fill: var(--text); }
polyline { fill: none; } circle { stroke-width: 1.6; fill: var(--page); stroke: currentColor; }
.grid { stroke: var(--edge); } .axis { stroke: var(--soft); }
.run { stroke: var(--run); stroke-width: 2; stroke-linejoin: round; }
.cut { overflow: hidden; }
.line { stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.thin { stroke: currentColor; stroke-width: 1.2; opacity: .5; }
.pale { stroke: currentColor; stroke-width: 1.2; opacity: .25; }
.ghost { stroke: currentColor; stroke-width: 1.2; opacity: .08; }
.band { fill: var(--run); opacity: .14; }
.guess { stroke: var(--run); stroke-width: 1.6; stroke-dasharray: 5 4; }
.back { stroke: var(--bad); stroke-dasharray: 2 4; opacity: .8; }
.kept { fill: currentColor; } .diverged { stroke-dasharray: 2 2; } .faint { opacity: .45; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .bad { color: var(--bad); }
"""

_PAGE = """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 860px; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .3rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .2rem; font-weight: 600; }
p { margin: .2rem 0 .6rem; color: var(--soft); overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: .7rem;
  margin: 1.2rem 0 0; }
dl div { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: .6rem .8rem; overflow-wrap: anywhere; }
dt { color: var(--soft); font-size: .82rem; } dd { margin: 0; font-size: 1.25rem; }
dd small { display: block; color: var(--soft); font-size: .82rem; }
svg[role] { display: block; width: 100%; height: auto; }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; color: var(--soft); font-size: .85rem; }
.key span::before { content: ""; display: inline-block; width: .7em; height: .7em;
  margin-right: .4em; border-radius: 50%; background: currentColor; }
.key .hollow::before { background: none; border: 1.5px solid currentColor; }
.key .faint { opacity: 1; } .key .faint::before { opacity: .45; }
.key i { color: var(--soft); font-style: normal; }
.wide { overflow-x: auto; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr));
  gap: 1rem 1.2rem; margin: .6rem 0; }
.pairs > div { min-width: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--edge); }
th { color: var(--soft); font-weight: 500; font-size: .85rem; } .rest { color: var(--soft); }
tr:not(.rest) td { font-weight: 500; }
th.text, td.text { text-align: left; } table.short { width: auto; min-width: 50%; }
td, .all th { white-space: nowrap; } td.text { white-space: normal; }
.all { margin-inline: max(-8rem, min(0px, calc((860px - 100vw) / 2 + 1.5rem))); }
td.why { min-width: 15em; }
pre { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: .8rem 1rem; overflow-x: auto; font-size: 13px; line-height: 1.45; }
@media (max-width: 600px) { body { padding: 1.2rem .8rem 2rem; }
  svg.large text { font-size: 20px; } svg.large circle { stroke-width: 2.4; }
  dl { grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); }
  th, td { padding: .25rem .45rem; } }
@media print { * { print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  svg, dl div, pre, tr, .pairs > div { break-inside: avoid; } h2 { break-after: avoid; }
  pre { white-space: pre-wrap; } .wide { overflow: visible; margin: 0; }
  .all { font-size: 8pt; } .all td, .all th { padding: .1rem .25rem; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """Return a page: a single file without links.

    Args:
        title: Plain text.
        parts: HTML; empty ones are left out.
    """
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(_DARK)} }} }}"
    printed = f"@media print {{ :root {{ {_variables(_LIGHT)} }} }}"
    root = f":root {{ color-scheme: light dark; {_variables(_LIGHT)} }}"
    style = f"{root}\n{dark}\n{printed}{_PAGE}{_CHARTS}"
    head = f"<title>{escape(title)}</title><style>{style}</style>"
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{view}{head}</head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def figure_style() -> str:
    """Return the style of charts for an SVG file: light colours, no CSS variables."""
    return re.sub(r"var\(--(\w+)\)", lambda match: _LIGHT[match[1]], _CHARTS)


def facts(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return cards, each of a term, its value and a remark."""
    cells = (
        f"<div><dt>{escape(term)}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for term, value, more in rows
    )
    return f"<dl>{''.join(cells)}</dl>"


def wide(content: str) -> str:
    """Return content that scrolls sideways where it is wider than the page."""
    return f'<div class="wide">{content}</div>'


def key(entries: Iterable[tuple[str, str]]) -> str:
    """Return the key of a chart: style and text of each entry; without a style, a remark."""
    shown = (
        f'<span class="{style}"><i>{escape(text)}</i></span>' if style else f"<i>{escape(text)}</i>"
        for style, text in entries
    )
    return f'<div class="key">{"".join(shown)}</div>'


def _variables(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
