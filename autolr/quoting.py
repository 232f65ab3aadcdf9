"""Values from the user in messages: one short line without the passwords of URLs.

>>> quoted("postgresql://me:pass@host/runs"), quoted([1, None])
("'postgresql://***", '[1, None]')
"""

import re

HIDDEN = "***"  # stands for what may be a password
_URL = re.compile(r"\b(?!sqlite:///[^?]*$)([\w+]+)://.*", re.DOTALL)
_LONGEST = 300  # characters: four lines of a terminal


def quoted(value: object, longest: int = _LONGEST) -> str:
    """Return the text of a value for a message.

    Args:
        value: Anything; a value that cannot be printed is shown by its type.
        longest: Characters; longer text loses its middle.
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, or deep nesting
        text = f"a very large {type(value).__name__}"
    return shortened(without_urls(text), longest)


def shortened(text: str, longest: int = _LONGEST) -> str:
    r"""Return text on one line; text of more than ``longest`` characters loses its middle.

    Args:
        text: Any text; characters that cannot be printed are escaped.
        longest: Characters, the three of the gap included.

    >>> shortened("a" * 99 + "b" * 99, 16), shortened("two\nlines")
    ('aaaaaaa … bbbbbb', 'two\\nlines')
    """
    line = "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )
    if len(line) <= longest:
        return line
    half = (longest - 3) // 2
    return f"{line[: longest - 3 - half]} … {line[len(line) - half :]}"


def without_urls(text: str) -> str:
    """Return text without anything after the scheme of a URL that may hold a password.

    >>> without_urls("got 'mysql://me:pass@host', not 'sqlite:///runs.db'")
    "got 'mysql://***"
    """
    return _URL.sub(rf"\1://{HIDDEN}", text)
