"""The online search of a plain PyTorch run: its training loop."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from autolr.errors import ConfigError
from autolr.online.settings import SearchSettings
from autolr.online.strategy import Strategy
from autolr.result.files import check_save_to, save_after
from autolr.result.messages import closing
from autolr.result.prior import read_prior
from autolr.result.result import Result
from autolr.rules.fixed import OWN
from autolr.rules.switching import Switching, rule_optimizer_of
from autolr.runtime.learner import DrivenLearner
from autolr.runtime.optimizer_peaks import users_rate
from autolr.runtime.rates import Rates
from autolr.runtime.rewinding import train_rewinding
from autolr.runtime.scan import prior_peak
from autolr.runtime.stepped import SteppedSearch
from autolr.schedules import Schedule

_log = logging.getLogger(__name__)


def search(
    learner: DrivenLearner,
    total_steps: int,
    *,
    strategy: str | Strategy = "annealed",
    schedule: Schedule | str | None = None,
    rates: tuple[float, float] | None = None,
    candidates: str | Path | Mapping[str, Any] | None = None,
    save_to: str | Path | None = None,
    prior: Result | str | Path | None = None,
) -> Result:
    """Train a run of ``total_steps`` optimizer steps, and search its peak on the way.

    The learner ends trained: its first steps are those of the winning probe, the rest follow the
    schedule at the peak that the search has chosen.

    Args:
        learner: The run, untrained; `TorchLearner` adapts a model, its optimizer and batches.
        total_steps: Optimizer steps of the run.
        strategy: How probes become a decision, with its settings: ``"annealed"``, or an object
            such as ``Annealed(budget=0.1)``; ``"autolrs"``, the published algorithm for comparison
            (see `AutoLRS`), whose probes make about ``total_steps`` steps more; or one of your own
            (see `autolr.online.Strategy`).
        schedule: A schedule or the name of a profile; None for a short warm-up, a plateau and a
            linear end. AutoLRS makes its own.
        rates: Lowest and highest peak; None: around the optimizer's customary peak. For an
            optimizer without one, about 28 steps of a copy at a growing rate, all on the first
            batch, find where training diverges: the search is around a tenth of that rate.
        candidates: A search space of rules, peaks and profiles, as a name of the catalogue, a path
            or a mapping, instead of ``rates`` and ``schedule``. Its first five rules race with the
            learner's own optimizer ("fixed") from the first step, with up to three peaks each; one
            that is not 3 % better than the own optimizer loses to it. After the race,
            copies of the run compare the first five profiles with the default schedule. At the end
            ``learner.optimizer`` is that of the rule that won.
        save_to: A folder for ``result.json``, ``probes.csv`` and ``result.html``. Where it cannot
            be written after the run a line says so.
        prior: See `AutoLR`.

    Returns:
        The peak, the schedule, and what they cost. Where no score of the race and of the next round
        is finite there is no peak, with a warning: the run continues at the rate that the user
        has set, or in the middle of ``rates`` if that lies outside.

    Raises:
        ConfigError: If a setting cannot work, ``save_to`` among them; before the first step.
        DivergedError: If every rate that was tried diverged, or the run too often after the race.
    """
    if not hasattr(learner, "next_batch"):
        expected = "a learner such as autolr.TorchLearner(model, optimizer, batches, loss)"
        raise ConfigError.of("learner", type(learner).__name__, expected)
    check_save_to(save_to)
    settings = SearchSettings(
        strategy, schedule, rates, candidates, prior=read_prior(prior, save_to)
    )
    with _racing(learner, settings):
        if settings.searcher.rewinds:
            result = _train_rewinding(learner, settings, total_steps)
        else:
            result = _train_beside(learner, settings, total_steps)
    save_after(result, save_to, _log.warning)
    return result


def _train_rewinding(learner: DrivenLearner, settings: SearchSettings, total_steps: int) -> Result:
    """Train the run with probes that are rewound."""
    rates = Rates.of(learner.optimizer)
    try:
        prior, scan = prior_peak(learner, rates, settings, total_steps)
        run = settings.run_info(
            prior, total_steps, rates.base, users_rate(learner.optimizer, rates), scan=scan
        )
        run = replace(run, rewindable=True)
        result = train_rewinding(learner, rates, settings.begin(run, scan), total_steps)
    finally:
        rates.detach()
    if not result.compared:
        _log.warning(closing(result))
    return result


@contextmanager
def _racing(learner: DrivenLearner, settings: SearchSettings) -> Iterator[None]:
    """Train with an optimizer of several rules in the block; leave that of the winner after it."""
    others = {name: given for name, given in settings.rules.items() if name != OWN}
    if not others:
        yield
        return
    learner.optimizer = switching = Switching(learner.optimizer, others)
    try:
        yield
    finally:
        if (stepping := rule_optimizer_of(switching)) is not None:
            stepping.take_averages()
        learner.optimizer = switching.settle()


def _train_beside(learner: DrivenLearner, settings: SearchSettings, total_steps: int) -> Result:
    """Train the run with the search's rivals beside it."""
    search = SteppedSearch(learner, settings, total_steps)
    try:
        learner.next_batch()
        search.begin()
        for step in range(total_steps):
            if step:  # the first batch has been drawn
                learner.next_batch()
            search.step(lambda: (learner.train(), True))
    finally:
        search.detach(keep=False)
    search.close()
    return search.result()
