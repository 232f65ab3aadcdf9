"""The online search of a plain PyTorch run."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import Annealed, AutoLRS, Search, SearchSettings, parse_rates, parse_strategy
from autolr.result import Result, check_save_to, closing, excluded, news, opening
from autolr.rules.fixed import OWN
from autolr.rules.switching import Switching, carrier
from autolr.runtime.autolrs import search_by_stages
from autolr.runtime.learner import DrivenLearner
from autolr.runtime.rates import Rates, customary_peak_of, set_peak
from autolr.runtime.rivals import Rivals
from autolr.runtime.scan import prior_peak
from autolr.schedules import Schedule

_log = logging.getLogger(__name__)


def search(
    learner: DrivenLearner,
    total_steps: int,
    *,
    strategy: str | Annealed | AutoLRS = "annealed",
    schedule: Schedule | str | None = None,
    budget: float = 0.25,
    rates: tuple[float, float] | None = None,
    candidates: str | Path | Mapping[str, Any] | None = None,
    save_to: str | Path | None = None,
) -> Result:
    """Train a run of ``total_steps`` optimizer steps, with its peak found on the way.

    The learner ends trained: its first steps are those of the winning probe, the rest follow the
    schedule at the peak that was found.

    Args:
        learner: The run, untrained; `TorchLearner` adapts a model, its optimizer and batches.
        total_steps: Optimizer steps of the run.
        strategy: How probes become a decision: ``"annealed"``, or ``"autolrs"``, the published
            algorithm for comparison (see `AutoLRS`).
        schedule: A schedule or the name of a profile; None for a short warm-up, a plateau and a
            linear end. AutoLRS makes its own.
        budget: Probe steps at most, as a share of ``total_steps``. AutoLRS knows no budget: its
            probes make about ``total_steps`` steps more.
        rates: Lowest and highest peak; None: around the optimizer's customary peak. For an
            optimizer without one, about 28 steps of a copy at a growing rate, all on the first
            batch, find where training diverges: the search is around a tenth of that rate.
        candidates: A search space of rules, peaks and profiles, as a name of the catalogue, a path
            or a mapping, in place of ``rates`` and ``schedule``. Its first five rules race with the
            learner's own optimizer ("fixed") from the first step, with up to three peaks each; one
            that is not 3 % better than the own optimizer gives way to it. After the peak is found,
            copies of the run compare the first five profiles with the default schedule. At the end
            ``learner.optimizer`` is that of the rule that won.
        save_to: A folder for ``result.json``, ``probes.csv`` and ``result.html``.

    Returns:
        The peak, the schedule, and what they cost. Where no score of the race and of the next round
        is finite there is no peak, with a warning: the run goes on at the rate that the user has
        set, within ``rates``, else at the customary one.

    Raises:
        ConfigError: If a setting cannot work, ``save_to`` among them; before the first step.
        DivergedError: If every rate that was tried diverged, or the run too often after the race.
    """
    check_save_to(save_to)
    parsed = parse_strategy(strategy)
    if isinstance(parsed, AutoLRS):
        for name, given in (("schedule", schedule), ("candidates", candidates)):
            if given is not None:
                raise ConfigError.of(name, given, "None: AutoLRS searches rates only")
        result = _train_in_stages(learner, parsed, rates, total_steps)
    else:
        settings = SearchSettings(parsed, schedule, budget, rates, candidates)
        with _racing(learner, settings):
            result = _train_beside(learner, settings, total_steps)
    if save_to is not None:
        result.save(save_to)
    return result


def _train_in_stages(
    learner: DrivenLearner,
    strategy: AutoLRS,
    rates: tuple[float, float] | None,
    total_steps: int,
) -> Result:
    attached = Rates.of(learner.optimizer)
    try:
        peak_range = parse_rates(rates, customary_peak_of(learner.optimizer) or attached.base)
        kept = peak_range.kept(set_peak(learner.optimizer, attached))
        result = search_by_stages(learner, attached, strategy.begin(peak_range, total_steps, kept))
        if not result.compared:
            _log.warning(closing(result))
        return result
    finally:
        attached.detach()


@contextmanager
def _racing(learner: DrivenLearner, settings: SearchSettings) -> Iterator[None]:
    """Have an optimizer of several rules in place, and leave that of the winner behind."""
    others = {name: given for name, given in settings.rules.items() if name != OWN}
    if not others:
        yield
        return
    learner.optimizer = switching = Switching(learner.optimizer, others)
    try:
        yield
    finally:
        if (found := carrier(switching)) is not None:
            found.take_averages()
        learner.optimizer = switching.settle()


def _begin(
    learner: DrivenLearner, rates: Rates, settings: SearchSettings, total_steps: int
) -> tuple[Search, Candidate]:
    """Return the search, and the candidate with which the run begins; draw its first batch."""
    learner.next_batch()
    prior, scan = prior_peak(learner, rates, settings, total_steps)
    kept = settings.kept(prior, set_peak(learner.optimizer, rates))
    begun = replace(settings.begin(prior, total_steps, scan), kept=kept)
    live = settings.live(begun, prior)
    for line in (
        *opening(begun, live, total_steps),
        *excluded(settings.left_out(begun, prior)),
    ):
        _log.info(line)
    return begun, live


def _train_beside(learner: DrivenLearner, settings: SearchSettings, total_steps: int) -> Result:
    """Train the run with the search's rivals beside it."""
    rates = Rates.of(learner.optimizer)
    try:
        begun, live = _begin(learner, rates, settings, total_steps)
        rivals = Rivals(learner, rates, begun, total_steps, live)
        for step in range(total_steps):
            if step:  # the first batch has been drawn
                learner.next_batch()
            before = rivals.capture()
            rates.factor, search = rivals.factor, rivals.search
            rivals.follow(learner.train(), before, stepped=True)
            for line in news(search, rivals.search, total_steps, learner.monitor):
                _log.info(line)
    finally:
        rates.detach()
    result = rivals.result()
    if rivals.probe_steps:
        _log.log(logging.INFO if result.compared else logging.WARNING, closing(result))
    return result
