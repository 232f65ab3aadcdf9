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
    """What a rule gets to know of one step.

    Attributes:
        step: Index of the step, from 0.
        rate: Peak x schedule: the rate of the groups, the highest one where they differ.
        loss: Loss of the batch before the step, the mean over ranks; NaN if the rule does not
            need it.
        products: The inner products that the rule `needs`: sums over all tensors, or one for each
            tensor, shape (tensors,), if the rule is ``per_tensor``.
    """

    step: int
    rate: float
    loss: float
    products: Mapping[str, Number]

    def __getitem__(self, pair: str) -> Number:
        return self.products[pair]


class Rule:
    """Sets the size of each step; a subclass is a frozen dataclass of settings. Experimental.

    Annotate the fields with the types of `autolr.settings`; values are checked when a rule is made.
    `step` returns the whole size, rate included: use ``statistics.rate`` where the formula has a
    rate or a cap, else multiply by it.

    A rule names each inner product that it `needs` by two letters, as in ``"g.g"``:

    * ``g`` the gradient, ``d`` the direction of the step (``weights -= step x direction``);
    * ``w`` how far a step of size 1 moves the weights: the direction, shorter in groups with a
      lower rate;
    * ``x`` the weights, ``r`` the weights less those before the first step;
    * ``u`` the direction of the last step, ``s`` the last move of the weights, ``y`` the change of
      the gradient over that move; all 0 at the first step;
    * ``m`` the momentum, for directions made of it; ``v`` the velocity of rules with inertia, 0 at
      the first step;

    and ``"loss"``. Only what a rule needs is computed and kept.

    Attributes:
        needs: Inner products and "loss".
        begins_with: Inner products needed at the first step only.
        direction: The name of the direction of its steps, see `autolr.rules.directions`.
        inertia: Whether each move contains the share ``beta`` of the last one: "heavy ball",
            "nesterov" (which looks ahead), or "" for no; see `autolr.rules.moves`.
        per_tensor: Whether each tensor gets a step size of its own.
        averaging: Power of the polynomial-decay average of the weights, which is evaluated in
            place of the last weights; 0 for none.
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
        """Return the size of the step, and the memory for the next one.

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

    Each coefficient has shape (tensors with a gradient,).

    Attributes:
        s: Coefficient of the move that was tried last.
        g: Of the gradient.
        y: Of the change of the gradient over that move.
    """

    s: NDArray[np.float64]
    g: NDArray[np.float64]
    y: NDArray[np.float64]


# The caller sends a loss for a size, and inner products for a tuple of pairs.
Ask: TypeAlias = float | tuple[str, ...]
StepAndMemory: TypeAlias = tuple[Number | Blend, Memory]
Trials: TypeAlias = Generator[Ask, Any, StepAndMemory]


class LineSearch(Rule):
    """A rule that tries steps before it takes one.

    Each trial updates the running statistics of batch norm.
    """

    __slots__ = ()

    def trials(self, statistics: Statistics, memory: Memory) -> Trials:
        """Yield what to try, and return as `step` does, or a `Blend` in place of a size.

        * For a size, the caller sends the loss after such a step: of the same batch, with the
          same random numbers as the first loss.
        * For a tuple of pairs, the caller sends a mapping from each pair to its inner products,
          shape (tensors with a gradient,): ``g`` is the gradient before the step, ``s`` the move
          that was tried last, ``y`` the change of the gradient over it.

        Args:
            statistics: Of this step.
            memory: What the last step returned; empty at the first one.
        """
        raise NotImplementedError


def newest_share(beta: float, steps: int, corrected: bool = True) -> float:
    """Return the weight of the newest value in an exponential average.

    Args:
        beta: Decay of the average: the weight of the last average.
        steps: Number of values before the newest one.
        corrected: Whether to apply Adam's bias correction; else the average starts at the first
            value.

    >>> newest_share(0.5, steps=0), newest_share(0.5, steps=1)
    (1.0, 0.6666666666666666)
    """
    return (1 - beta) / (1 - beta ** (steps + 1)) if corrected else 1 - beta


def _name(rule: Rule) -> str:
    return type(rule).__name__
