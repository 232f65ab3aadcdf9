"""The online search of a plain PyTorch run."""

from pathlib import Path

from autolr.online import Annealed, Result, SearchSettings
from autolr.runtime.learner import DrivenLearner
from autolr.runtime.rates import Rates, customary_peak
from autolr.runtime.shadows import Shadows
from autolr.schedules import Schedule


def search(
    learner: DrivenLearner,
    total_steps: int,
    *,
    strategy: str | Annealed = "annealed",
    schedule: Schedule | str | None = None,
    budget: float = 0.25,
    rates: tuple[float, float] | None = None,
    save_to: str | Path | None = None,
) -> Result:
    """Train a run of ``total_steps`` optimizer steps, with its peak found on the way.

    The learner ends trained: its first steps are those of the winning probe, the rest follow the
    schedule at the peak that was found.

    Args:
        learner: The run, untrained; `TorchLearner` adapts a model, its optimizer and batches.
        total_steps: Optimizer steps of the run.
        strategy: How probes become a decision.
        schedule: A schedule or the name of a profile; None for a short warm-up, a plateau and a
            linear end.
        budget: Probe steps at most, as a share of ``total_steps``.
        rates: Lowest and highest peak; None: around the optimizer's customary peak.
        save_to: A folder for ``result.json`` and ``probes.csv``.

    Returns:
        The peak, the schedule, and what they cost.

    Raises:
        ConfigError: If a setting cannot work; before the first step.
        DivergedError: If every rate that was tried diverged.
    """
    settings = SearchSettings(strategy, schedule, budget, rates)
    attached = Rates.of(learner.optimizer)
    try:
        prior = customary_peak(learner.optimizer)
        begun = settings.begin(prior, total_steps)
        shadows = Shadows(learner, attached, begun, total_steps, settings.live(begun, prior))
        for _ in range(total_steps):
            learner.next_batch()
            before = shadows.capture()
            attached.factor = shadows.factor
            shadows.follow(learner.train(), before, stepped=True)
    finally:
        attached.detach()
    result = shadows.result()
    if save_to is not None:
        result.save(save_to)
    return result
