"""Moving a peak to a run of another size: batch, width, length, weight decay."""

import math
from dataclasses import dataclass
from typing import Literal

from autolr.counted import counted
from autolr.schedules.convex_bound import check_length
from autolr.schedules.peak_transfer import transfer
from autolr.schedules.schedule import Schedule, check_schedule
from autolr.settings import NotNegative, OneOf, Real, check_of, read_number, read_setting

Kind = Literal["adam", "sgd"]

_RATIO = Real(1e-6, 1e6)  # what is beyond is a typing error


@dataclass(frozen=True, slots=True)
class Sized:
    """What to set in a run of another size.

    Attributes:
        peak: Of parameters without a width, which do not grow with the model.
        vectors: Peak of parameters with one width: biases, norms, embeddings, the readout.
        matrices: Peak of parameters with two: hidden matrices.
        total_steps: Length of the run.
        weight_decay: Of parameters with the peak ``peak``; others have ``weight_decay * peak``
            over their own peak. None if none was given.
    """

    peak: float
    vectors: float
    matrices: float
    total_steps: int
    weight_decay: float | None

    def __str__(self) -> str:
        """Return a line for each number that differs from the others."""
        lines = [
            f"peak {self.peak:.4g} in {counted(self.total_steps, 'step')}{self._decay(self.peak)}"
        ]
        for name, own in (("vectors", self.vectors), ("hidden matrices", self.matrices)):
            if own != self.peak:
                lines.append(f"{name}: peak {own:.4g}{self._decay(own)}")
        return "\n".join(lines)

    def _decay(self, own: float) -> str:
        if self.weight_decay is None:
            return ""
        return f", weight decay {self.weight_decay * self.peak / own:.4g}"


def transfer_size(
    peak: float,
    schedule: Schedule,
    steps: int,
    kind: Kind,
    *,
    to: Schedule | None = None,
    to_steps: int | None = None,
    batch: float = 1.0,
    width: float = 1.0,
    weight_decay: float | None = None,
) -> Sized:
    """Return what a run of another size needs, from a run of which the peak was tuned.

    | what grows r times | Adam and its kin | SGD | holds |
    |---|---|---|---|
    | batch, as many examples | peak x sqrt(r) [1] | peak x r [2] | below the critical batch [3] |
    | steps, the same batch | peak / sqrt(r) [4] | peak / sqrt(r) [4] | as far as `transfer` |
    | width | hidden matrices: peak / r [5] | vectors: peak x r [5] | in muP, see `mup_groups` |
    | weight decay | keeps peak x decay x steps [6] | is kept [2] | for AdamW's, not in the loss |

    The first two are one rule: at the same number of steps a batch that is r times as large changes
    nothing for Adam, whose steps have one length, and takes sqrt(r) for SGD, whose gradients have
    1 / sqrt(r) of the noise. Betas and eps stay as they are.

    Args:
        peak: The best one for ``schedule`` in a run of ``steps``.
        schedule: The schedule that it was tuned with.
        steps: Length of that run, in optimizer steps.
        kind: Whether the optimizer normalizes the gradient element by element ("adam").
        to: The schedule to use; None for the same.
        to_steps: Length of the run to make; None for as many examples: ``steps / batch``.
        batch: Examples of a step over those of the tuned run.
        width: Of the model over that of the tuned one. The peaks hold for a model that is
            initialized and read out as muP wants it.
        weight_decay: Of the tuned run, for AdamW; it is kept for SGD.

    Raises:
        ConfigError: If a number is not above 0, a ratio is not within [1e-6, 1e6], a run is longer
            than 10 million steps, ``kind`` is unknown, or a schedule does not fit in its run.

    Source: [1] Malladi et al. 2022, arXiv:2205.10287; [2] Goyal et al. 2017, arXiv:1706.02677;
    [3] McCandlish et al. 2018, arXiv:1812.06162; [4] Schaipp et al. 2025, arXiv:2501.18965;
    [5] Yang et al. 2022, arXiv:2203.03466; [6] Wang & Aitchison 2024, arXiv:2405.13698.

    >>> from autolr.schedules import linear
    >>> print(transfer_size(0.001, linear(), 8000, "adam", batch=4, weight_decay=0.1))
    peak 0.001997 in 2000 steps, weight decay 0.2002
    >>> print(transfer_size(0.001, linear(), 8000, "adam", width=8))
    peak 0.001 in 8000 steps
    hidden matrices: peak 0.000125
    """
    read_setting("kind", OneOf(("adam", "sgd")), kind)
    for name, each in (("schedule", schedule), ("to", schedule if to is None else to)):
        check_schedule(name, each)
    batch, width = read_number("batch", _RATIO, batch), read_number("width", _RATIO, width)
    if weight_decay is not None:
        weight_decay = read_number("weight_decay", check_of(NotNegative), weight_decay)
    check_length("steps", steps)
    length = max(1, round(steps / batch)) if to_steps is None else to_steps
    moved = transfer(peak, schedule, steps, to, length)
    if kind == "sgd":
        moved *= math.sqrt(batch)
    elif weight_decay is not None:
        before = peak * schedule.values(steps).sum()
        after = moved * (schedule if to is None else to).values(length).sum()
        weight_decay *= float(before / after)
    vectors, matrices = (moved, moved / width) if kind == "adam" else (moved * width, moved)
    return Sized(moved, vectors, matrices, length, weight_decay)
