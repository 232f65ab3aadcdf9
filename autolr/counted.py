"""A number and its noun in messages."""


def counted(count: float, noun: str, spec: str = "") -> str:
    """Return a number with its noun, in the plural unless it is 1.

    Args:
        count: The number.
        noun: In the singular; its plural ends in s, or in es behind an s.
        spec: How the number is written, as ``format`` takes it: "," separates thousands.

    >>> counted(1, "step"), counted(1200, "step", ","), counted(0, "pass")
    ('1 step', '1,200 steps', '0 passes')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count:{spec}} {noun}{'es' if noun.endswith('s') else 's'}"
