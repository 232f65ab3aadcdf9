"""The site has every page, and each page can be read in one go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
MOST_WORDS = 1500


def test_pages_are_short() -> None:
    words = {page.name: _words(page) for page in (*PAGES, *ROOT.glob("examples/**/*.md"))}
    assert {name: count for name, count in words.items() if count > MOST_WORDS} == {}


def test_every_page_is_in_the_navigation_once() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    shown = list(_pages(nav))
    assert len(shown) == len(set(shown))
    assert {str(page.relative_to(ROOT / "docs")) for page in PAGES} <= set(shown)
    elsewhere = [name for name in shown if not (ROOT / "docs" / name).exists()]
    assert [name for name in elsewhere if not (ROOT / name).exists()] == []


def _words(page: Path) -> int:
    """Return the words of a page; a table, which is looked up, counts in `docs` alone."""
    lines = page.read_text("utf-8").splitlines()
    kept = (line for line in lines if page in PAGES or not line.startswith("|"))
    return sum(len(line.split()) for line in kept)


def _pages(nav: list[dict[str, Any]]) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from _pages(target)
