"""What a later run may take from a result: the peak that its search has settled on."""

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from autolr.errors import ConfigError
from autolr.online.prior_peak import PriorPeak
from autolr.online.records import ProbeScore
from autolr.result.files import load_result
from autolr.result.result import Result
from autolr.rules.fixed import OWN

_APART = 0.03  # of a score: what a race calls a tie
_LOST = 0.5  # of a run's steps: more that were lost as it diverged, and little of it is left


def read_prior(given: object, save_to: object = None) -> PriorPeak | None:
    """Return the peak of an earlier search, if it has one; None where nothing is given.

    Args:
        given: A `Result`, or the folder that one was saved to.
        save_to: The folder that the run's own result will be saved to, if any.

    Raises:
        ConfigError: If it is neither, the search compared nothing, its run was lost, the peak is of
            another rule than the module's own optimizer, or the run would replace it by its own
            result.
    """
    if given is None:
        return None
    result = result_of(given, "prior")
    if result.rule != OWN:
        raise ConfigError(
            f"prior: its search chose {result.rule}, whose peak is none of the run's own optimizer"
        )
    if isinstance(given, str | PathLike) and isinstance(save_to, str | PathLike):
        _check_kept(Path(given), Path(save_to))
    return prior_of(result, "prior")


def _check_kept(prior: Path, save_to: Path) -> None:
    """Refuse to save over a prior: a run that is resumed later would move its own peak once more.

    Raises:
        ConfigError: If both are one folder.
    """
    folder = prior if prior.is_dir() else prior.parent
    if folder.resolve() == save_to.resolve():
        expected = "another folder than prior, which the run's own result would replace"
        raise ConfigError.of("save_to", str(save_to), expected)


def result_of(given: object, name: str) -> Result:
    """Return a result, or the one that was saved to a folder.

    Args:
        given: See `read_prior`.
        name: The setting.

    Raises:
        ConfigError: If it is neither.
    """
    if isinstance(given, Result):
        return given
    if not isinstance(given, str | PathLike) or not str(given):
        raise ConfigError.of(name, given, "a result, or the folder that one was saved to")
    try:
        return load_result(Path(given))
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def prior_of(result: Result, name: str) -> PriorPeak:
    """Return the peak of a result, of any rule.

    Args:
        result: The result.
        name: The setting, for messages.

    Raises:
        ConfigError: If it says nothing of other runs.
    """
    if (reason := _no_prior(result)) is not None:
        raise ConfigError(f"{name}: {reason}")
    assert result.peak is not None
    scheduled = result.own_peak is not None
    return PriorPeak(result.peak, result.schedule, result.total_steps, result.optimizer, scheduled)


def _no_prior(result: Result) -> str | None:
    """Return why a result says nothing of other runs; None if it does."""
    if result.peak is None:
        return "its search found no peak"
    if len({scored.candidate.peak for scored in result.scores}) < 2:
        return "its search has compared no peaks"
    if result.broken_off is not None:
        return f"its search ended at step {result.broken_off.step}, before it was over"
    if not any(map(_tells_apart, _rounds(result))):
        return "its search could not tell the peaks apart"
    of_run = [scored.score for scored in result.scores if scored.kept and not scored.annealed]
    if of_run and not math.isfinite(of_run[-1]):
        return "its run diverged"
    if (lost := _lost_steps(result)) > _LOST * result.total_steps:
        return f"its run diverged, and lost {lost} of its {result.total_steps} steps"
    return None


def _lost_steps(result: Result) -> int:
    """Return how many steps were discarded as the loss was not finite.

    A run that overfits is rolled back too, as is the longer one: that says nothing of its peak.
    """
    back = [one for one in result.rollbacks if not math.isfinite(one.score)]
    return len(set[int]().union(*(range(one.to, one.step) for one in back)))


def _rounds(result: Result) -> list[list[ProbeScore]]:
    """Return the scores that were compared with each other."""
    compared = [scored for scored in result.scores if not scored.annealed]
    ends = dict.fromkeys(scored.horizon for scored in compared)
    return [[one for one in compared if one.horizon == end] for end in ends]


def _tells_apart(scores: Sequence[ProbeScore]) -> bool:
    """Return whether the best of several is clearly better than one below it.

    A run at chance shows only that a high rate does harm. So a higher one counts where there is
    none below.
    """
    best = min(scores, key=lambda one: one.score)
    below = [one for one in scores if (one.candidate.peak or 0.0) < (best.candidate.peak or 0.0)]
    return any(one.score > best.score + _APART * abs(best.score) for one in below or scores)
