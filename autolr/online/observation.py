"""The outcome of an action, for a strategy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Observation:
    """The outcome of an action. Experimental.

    Attributes:
        step: Optimizer steps that the run has made.
        scores: After a `Probe`: of its candidates, in their order. Lower is better; NaN or
            infinite if a candidate diverged. With `Probe.ahead` they are forecasts of the loss.
            After a `Close`: of the last weights, then of each average.
        batch_scores: The scores by validation batch, in the order of ``scores``; None where they
            are not known.
        initial: The score of the run before its first step; None where it is not known.
        initial_batches: That by validation batch; None where it is not known.
        inactive: Of the candidates of a `Probe`, in their order: the largest share of units of one
            layer that got no gradient in the last step; see `runtime.inactive`. Empty where the
            probe does not count them.
        windows: After a `Close`: over how many of the last steps each average is; fewer than asked
            for where another state took the place of the run's within them, 0 without an average.
        losses: After a `Train`: the training loss of each step. They end at the first that is not
            finite.
        diverged: Candidates of the probe, by index, that were dropped since their training loss
            was not finite, in the order in which that happened.
        ended: Candidates of the probe, by index, whose copies of the run could not follow a change
            of what trains. That says nothing of their rates.
        changed: Step at which what the run trains last changed during the action, None if it did
            not: parameters were frozen or joined, modules were replaced. Nothing is restored from
            before it: a saved state is now that of this step.
        lost: Whether the probe ended early because every candidate has diverged. Then all scores
            are infinite, and the answer is a `Rollback`, or training ends with an error.
        rise: Step at which the rate that other code writes will be at its height, where the probe
            ended early as that lies beyond it: nothing was scored. None: it did not.
        steps_left: Optimizer steps that the run has yet to make; None where that is not known.
        stop_requested: Whether training will stop as soon as it can.
    """

    step: int
    scores: tuple[float, ...] = ()
    batch_scores: tuple[tuple[float, ...], ...] | None = None
    initial: float | None = None
    initial_batches: tuple[float, ...] | None = None
    inactive: tuple[float, ...] = ()
    windows: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    diverged: tuple[int, ...] = ()
    ended: tuple[int, ...] = ()
    changed: int | None = None
    lost: bool = False
    rise: int | None = None
    steps_left: int | None = None
    stop_requested: bool = False
