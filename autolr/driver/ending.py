"""Why a study is over before it has all the trials that its config wants."""

from collections.abc import Collection, Sequence
from dataclasses import astuple

from autolr import study
from autolr.config import Config
from autolr.study import TrialRecord
from autolr.tune_config import TuneConfig


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
    return (None if size is None else _spent(size, trials, spent)) or _stopped(config.tune, trials)


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


def _stopped(tune: TuneConfig, trials: Sequence[TrialRecord]) -> str | None:
    stop = tune.stop
    if stop is None or not study.has_stalled(trials, tune.direction, *astuple(stop)):
        return None
    least = f" by more than {stop.improvement:g}" if stop.improvement else ""
    return f"the last {stop.patience} trials did not improve {tune.monitor}{least}"


def unfinished(trials: Sequence[TrialRecord]) -> bool:
    """Return whether a trial was left before it was over."""
    return any(trial.open for trial in trials)
