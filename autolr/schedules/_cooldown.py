"""The last part of a schedule: down to the end, along one of several shapes."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules.catalogue import profile
from autolr.settings import Array, Share, Span

Shape = Literal["linear", "1-sqrt", "cosine", "exp", "1-square", "mirror-cosine"]

_EXP_FINAL = 0.01  # an exponential cannot reach 0; two decades are a common fall

_SHAPES: dict[str, Callable[[Array], Array]] = {
    "linear": lambda u: 1 - u,
    "1-sqrt": lambda u: 1 - np.sqrt(u),
    "cosine": lambda u: (1 + np.cos(np.pi * u)) / 2,
    "1-square": lambda u: 1 - u**2,
    "mirror-cosine": lambda u: 2 * (1 - u) - (1 + np.cos(np.pi * u)) / 2,
}


@profile
def cooldown(
    k: Array, n: float, span: Span = 0.2, shape: Shape = "1-sqrt", final: Share | None = None
) -> Array:
    """Fall from the present level to the share ``final`` of it.

        m(u) = final + (1 - final) d(u)         u = k / n, n: the span in steps
        d(u) = 1 - u                            linear
               1 - sqrt(u)                      1-sqrt
               (1 + cos(pi u)) / 2              cosine
               1 - u^2                          1-square
               2 (1 - u) - (1 + cos(pi u)) / 2  mirror-cosine
        m(u) = final^u                          exp

    Settings:
        span: Up to 1 a share of the run, above 1 steps, None the rest.
        shape: One of the above.
        final: Multiplier at the end; None for 0, or 0.01 with "exp".

    Raises:
        ConfigError: If ``span`` is negative, ``shape`` is unknown, ``final`` is outside [0, 1],
            or it is 0 with "exp".

    Source: Hägele et al. 2024, arXiv:2405.18392, and its code, epfml/schedules-and-scaling.

    >>> cooldown(0.5, "linear").values(6).round(4).tolist()
    [1.0, 0.6667, 0.3333, 0.0, 0.0, 0.0]
    """
    u = k / n
    if shape != "exp":
        final = 0.0 if final is None else final
        return final + (1 - final) * _SHAPES[shape](u)
    final = _EXP_FINAL if final is None else final
    if final == 0:
        raise ConfigError.of("final of cooldown", final, "above 0 with the shape 'exp'")
    decayed: Array = final**u
    return decayed
