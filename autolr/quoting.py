"""Values from the user in messages: in one line, not long, and without passwords of URLs.

>>> quoted("postgresql://me:pass@host/runs"), quoted([1, None])
("'postgresql://***", '[1, None]')
"""

from autolr.storage_url import without_urls

_LONGEST = 300  # characters


def quoted(value: object, longest: int = _LONGEST) -> str:
    """Return a value as a message shows it; what cannot be printed by its type."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, a nest
        text = f"a very large {type(value).__name__}"
    return shortened(without_urls(text), longest)


def shortened(text: str, longest: int = _LONGEST) -> str:
    r"""Return text in one line, its middle left out where it is long.

    >>> shortened("a" * 99 + "b" * 99, 16), shortened("two\nlines")
    ('aaaaaaa … bbbbbb', 'two\\nlines')
    """
    line = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    if len(line) <= longest:
        return line
    half = (longest - 3) // 2
    return f"{line[: longest - 3 - half]} … {line[len(line) - half :]}"
