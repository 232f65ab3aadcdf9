"""Doctests of docstrings as code blocks of the site: Markdown reads prompts as quotations."""

import re
from typing import Any

import griffe

_DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)  # up to a blank line


class Doctests(griffe.Extension):
    """Fences doctests, up to the blank line behind them."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of a class, function or module that is shown."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """Return a docstring, without its indentation, in which doctests are blocks of code."""
    return _DOCTEST.sub(lambda match: f"```pycon\n{match[0]}\n```", docstring)
