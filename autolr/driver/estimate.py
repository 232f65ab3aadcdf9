"""What a study will take, from its config and the check of it."""

from autolr.config import Config
from autolr.driver.devices import per_trial, shared_out, visible
from autolr.driver.first_trial import FirstTrial
from autolr.driver.messages import Checked
from autolr.objective.corners import corners
from autolr.online import Annealed
from autolr.study import Estimate, Hyperband
from autolr.study.simulation import StudyPlan, expected

_LOCAL = "local"


def estimated(
    config: Config, checked: Checked, hyperband: Hyperband | None, *, online: bool = False
) -> Estimate:
    """Return what a study will take.

    Args:
        config: The whole config.
        checked: What is known of a run.
        hyperband: The brackets; None without pruning.
        online: Whether the first trial searches its own peak.
    """
    tune, held = config.tune, checked.memory
    devices = per_trial(config.fit.get("trainer"))
    each = searches(config)
    pauses = tune.pruner.pause and checked.pauses and not (each and devices > 1)
    first = FirstTrial.of(config.space, checked.run_steps) if online else None
    searching = 1 if first else tune.trials * each
    budget = (first.search.budget if first else None) or Annealed().budget
    beside = int(budget * checked.run_steps)
    workers = _workers(config, devices)
    plan = StudyPlan(tune.trials, checked.run_steps, hyperband, pauses, workers or 1)
    return Estimate(
        trials=tune.trials,
        run_steps=checked.run_steps,
        price=expected(plan, config.seed),
        rival_steps=0 if held is not None and held.rivals == 0 else searching * beside,
        workers=workers,
        sharing=min(workers or 1, tune.trials_per_gpu),
        devices=devices,
        averages=hyperband is not None and hyperband.brackets > 1,
        memory=held,
        varied=tuple(sorted(config.space.paths)),
    )


def searches(config: Config) -> bool:
    """Return whether each trial searches its peak; what those of an objective do is its own.

    Args:
        config: The whole config.
    """
    if config.names_objective:
        return False
    return any(candidate.peak is None for candidate in corners(config.space))


def _workers(config: Config, devices: int) -> int | None:
    """Return how many trials are trained at a time; None where an engine will know."""
    tune = config.tune
    if isinstance(tune.workers, int):
        return min(tune.workers, tune.trials)
    if tune.engine != _LOCAL:
        return None
    places = shared_out("auto", devices if visible() else 1, tune.trials_per_gpu)
    return min(len(places), tune.trials)
