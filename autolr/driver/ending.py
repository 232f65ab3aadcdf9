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
    if size is None:
        return None
    trained = {
        study.key_of(one.params) for one in trials if one.state != "FAIL" and study.has_point(one)
    }
    failed = set(spent) - trained
    if len(trained) + len(failed) < size:
        return None
    but = f" but {len(failed)}, which failed," if failed else ""
    return f"all {size} candidates of the space{but} have been trained"


def unfinished(trials: Sequence[TrialRecord]) -> bool:
    """Return whether a trial was left before it was over."""
    return any(trial.state in ("RUNNING", "WAITING") for trial in trials)
