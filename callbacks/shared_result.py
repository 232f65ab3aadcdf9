"""The result of a callback that a library copies before it trains."""

from typing import Any

from autolr.result.result import Result


class SharedResult:
    """The last result of a callback and of all its copies.

    Some libraries train a deep copy of the callbacks that they are given (neuralforecast). Their
    user holds the original, and reads the result of the copy there.

    Attributes:
        value: The result; None before a search has ended.
    """

    value: Result | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedResult":
        return self
