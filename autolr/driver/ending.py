"""Why a study is over before it has all the trials that its config wants."""

from collections.abc import Collection, Sequence

from autolr import study
from autolr.config import Config
from autolr.study import TrialRecord


def why_over(
    config: Config, trials: Sequence[TrialRecord], spent: Collection[str] = ()
) -> str | None:
    """Return why no further trial begins, in words; None: one may.

    Args:
        config: The study's config.
        trials: All trials by number.
        spent: The `key_of` points whose trials failed and that are not to be tried again.
    """
    size = config.space.size
    return (None if size is None else _spent(size, trials, spent)) or _stopped(config, trials)


def _spent(size: int, trials: Sequence[TrialRecord], spent: Collection[str]) -> str | None:
    if len(trials) < size:
        return None
    pointed = [trial for trial in trials if trial.state != "FAIL" and study.has_point(trial)]
    trained = {study.key_of(trial.params) for trial in pointed}
    failed = set(spent) - trained
    if len(trained) + len(failed) < size:
        return None
    if not trained:
        return f"all {size} candidates of the space failed"
    but = f" but {len(failed)}, which failed," if failed else ""
    return f"all {size} candidates of the space{but} have been trained"


def _stopped(config: Config, trials: Sequence[TrialRecord]) -> str | None:
    tune, stop = config.tune, config.tune.stop
    if stop is None:
        return None
    if stop.patience is not None:
        direction, least = tune.direction, stop.improvement
        if study.has_stalled(trials, direction, stop.patience, least):
            more = f" by more than {least:g}" if least else ""
            last = "trial" if stop.patience == 1 else f"{stop.patience} trials"
            return f"the last {last} did not improve {tune.monitor}{more}"
    if stop.regret is not None:
        bound = study.regret_bound(config.space, trials, tune.direction, config.seed)
        if bound is not None and bound < stop.regret:
            return f"no candidate is expected to improve {tune.monitor} by {stop.regret:g}"
    return None


def unfinished(trials: Sequence[TrialRecord]) -> bool:
    """Return whether a trial was left before it was over."""
    return any(trial.open for trial in trials)
