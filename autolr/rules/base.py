"""What a rule is: a value that turns a few inner products into the size of a step."""

import dataclasses
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

from autolr.settings import check_of, read_setting

# Per rule a number; of a rule per tensor one number for each tensor, shape (tensors,).
Number: TypeAlias = float | NDArray[np.float64]
Memory: TypeAlias = Mapping[str, Number]
Inertia: TypeAlias = Literal["", "heavy ball", "nesterov"]
Answer: TypeAlias = tuple[Number, Memory]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a rule is told of one step.

    Attributes:
        step: Steps made before, from 0.
        rate: Peak x schedule: the rate of the groups, the highest one where they differ.
        loss: Loss of the batch before the step, the mean over devices; NaN where the rule does
            not need it.
        products: The inner products that the rule `needs`, summed over all tensors or, of a rule
            per tensor, shape (tensors,).
    """

    step: int
    rate: float
    loss: float
    products: Mapping[str, Number]

    def __getitem__(self, pair: str) -> Number:
        return self.products[pair]


class Rule:
    """Sets the size of each step; a subclass is a frozen dataclass of settings.

    The fields are annotated with what `autolr.settings` offers and checked when a rule is made.
    The size that `step` returns counts in full: where the formula has a rate or a cap it takes
    ``statistics.rate``, else it multiplies with it.

    A rule names the inner products that it `needs` by two letters, as ``"g.g"``:

    * ``g`` the gradient, ``d`` the direction of the step (``weights -= step x direction``);
    * ``w`` the way of the weights in a step of size 1: the direction, less in groups of a lower
      rate;
    * ``x`` the weights, ``r`` the weights less those before the first step;
    * ``u`` the direction of the last step, ``s`` the last move of the weights, ``y`` what it
      changed in the gradient; all 0 at the first step;
    * ``m`` the momentum that the direction is made of, if it is; ``v`` the velocity of rules
      with inertia, 0 at the first step;

    and ``"loss"``. Only what is needed is computed and kept.

    Attributes:
        needs: Inner products and "loss".
        begins_with: Inner products that are needed at the first step only.
        direction: The name of the direction of its steps, see `autolr.rules.directions`.
        inertia: Whether moves go on, a share ``beta`` of each in the next one: "heavy ball",
            "nesterov" (which looks ahead), or "" for no; see `autolr.rules.moves`.
        per_tensor: Whether each tensor gets a step size of its own.
        averaging: The power of the polynomial-decay average of the weights that is evaluated in
            their place; 0 for none.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    begins_with: ClassVar[tuple[str, ...]] = ()
    direction: ClassVar[str] = "gradient"
    inertia: ClassVar[Inertia] = ""
    per_tensor: ClassVar[bool] = False
    averaging: ClassVar[float] = 0.0

    __slots__ = ()

    def __post_init__(self) -> None:
        annotations = get_type_hints(type(self), include_extras=True)
        for name, value in self.settings().items():
            check = check_of(annotations[name])
            object.__setattr__(self, name, read_setting(f"{name} of {_name(self)}", check, value))

    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        """Return the size of the step, and what is remembered for the next one.

        Args:
            statistics: Of this step.
            memory: What the last step returned; empty at the first one.
        """
        raise NotImplementedError

    def settings(self) -> dict[str, object]:
        """Return its settings by name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }


@dataclass(frozen=True, slots=True)
class Blend:
    """A move made of three vectors: ``weights += c_s s + c_g g + c_y y``.

    Each number is of one tensor that has a gradient, shape (tensors,).

    Attributes:
        s: Of the move that was tried last.
        g: Of the gradient.
        y: Of what that move changed in the gradient.
    """

    s: NDArray[np.float64]
    g: NDArray[np.float64]
    y: NDArray[np.float64]


# A size is answered with a loss, a tuple of pairs with their inner products.
Ask: TypeAlias = float | tuple[str, ...]
Found: TypeAlias = tuple[Number | Blend, Memory]
Trials: TypeAlias = Generator[Ask, Any, Found]


class LineSearch(Rule):
    """A rule that tries steps before it takes one.

    A model with batch norm counts each trial into its running statistics.
    """

    __slots__ = ()

    def trials(self, statistics: Statistics, memory: Memory) -> Trials:
        """Yield what to try, and return as `step` does, or a `Blend` in place of a size.

        * A size is answered with the loss after such a step: of the same batch, with the
          generators where they were at the first loss.
        * A tuple of pairs is answered with a mapping from each to its inner products, shape
          (tensors with a gradient,): ``g`` is the gradient before the step, ``s`` the move
          that was tried last, ``y`` what it changed in the gradient.
        """
        raise NotImplementedError


def newest_share(beta: float, steps: int, corrected: bool = True) -> float:
    """Return how much the newest value counts in an exponential average of all so far.

    Args:
        beta: Share of the average that stays.
        steps: Values before it.
        corrected: Whether the values count by their age alone (Adam's bias correction); else
            the first one counts as if it had always been there.

    >>> newest_share(0.5, steps=0), newest_share(0.5, steps=1)
    (1.0, 0.6666666666666666)
    """
    return (1 - beta) / (1 - beta ** (steps + 1)) if corrected else 1 - beta


def _name(rule: Rule) -> str:
    return type(rule).__name__
