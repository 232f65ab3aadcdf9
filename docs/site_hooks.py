"""Pages of the site that lie elsewhere in the repository, and links between them.

A link in a Markdown file leads to the file, as a reader of the repository follows it. The site has
the files of `docs` at its root and those of `examples` under ``examples``.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[#)])")
_ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages outside `docs`, and the files that pages link to."""
    root = Path(config.config_file_path).parent
    pages = [*(root / name for name in _ROOT_PAGES), *sorted(root.glob("examples/**/*.md"))]
    known = {file.src_uri for file in files}
    linked = {path for page in (*pages, *root.glob("docs/**/*.md")) for path in _linked(page)}
    for path in dict.fromkeys((*pages, *sorted(linked))):
        uri = _site_path(path, root)
        if uri not in known:
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Have links lead to where the site has the files."""
    root = Path(config.config_file_path).parent
    source = Path(page.file.abs_src_path)
    here = Path(page.file.src_uri).parent

    def moved(match: re.Match[str]) -> str:
        target = (source.parent / match[0]).resolve()
        if not target.exists():
            return match[0]  # the build says so
        return Path(os.path.relpath(_site_path(target, root), here)).as_posix()

    return _LINK.sub(moved, markdown)


def _linked(page: Path) -> Iterator[Path]:
    for target in _LINK.findall(page.read_text("utf-8")):
        path = (page.parent / target).resolve()
        if path.is_file():
            yield path


def _site_path(path: Path, root: Path) -> str:
    """Return where the site has a file of the repository."""
    docs = root / "docs"
    return path.relative_to(docs if path.is_relative_to(docs) else root).as_posix()
