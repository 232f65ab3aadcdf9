"""The fenced blocks of the Markdown files, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = (
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted((*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"))),
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_JOINS = re.compile(r"&&|;|&")
NOTEBOOK = "docs/tutorial.md"  # its Python is one program: tests/examples/test_tutorial.py runs it


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    file: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """The file and the first line, which name it in the output of a test."""
        return f"{self.file}: {self.text.partition(chr(10))[0]}"

    @property
    def commands(self) -> list[list[str]]:
        """Its commands, each as words; comments and what starts in the background are no part."""
        lines = self.text.replace("\\\n", " ").splitlines()
        split = (part for line in lines for part in _JOINS.split(_without_comment(line)))
        return [words for words in map(shlex.split, split) if words]


def blocks() -> Iterator[Block]:
    for file in FILES:
        for language, text in _FENCE.findall(file.read_text("utf-8")):
            yield Block(str(file.relative_to(ROOT)), language, text)


BLOCKS = list(blocks())


def named(actual: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", actual, ids=[block.name for block in actual])


def inline(start: str) -> list[tuple[str, str]]:
    """Return the pieces of inline code that begin so, each behind the name of its file."""
    pattern = re.compile(rf"(?<!`)`({re.escape(start)}[^`]+)`(?!`)")
    return [
        (str(file.relative_to(ROOT)), " ".join(result.split()))
        for file in FILES
        for result in pattern.findall(_FENCE.sub("", file.read_text("utf-8")))
    ]


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)
