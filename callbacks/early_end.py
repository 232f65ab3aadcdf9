"""The ends of searches and of runs: what is said of them, and before where it can be known."""

from dataclasses import replace
from pathlib import Path

from autolr.callbacks.namespaces import Trainer, rank_zero_info, rank_zero_warn
from autolr.result.messages import closing
from autolr.result.result import Result

_EARLY_STOPPERS = {"EarlyStopping": "", "Timer": " (max_time)"}  # the Trainer makes a Timer of that
_PACKAGES = ("lightning", "pytorch_lightning")


def early_stoppers(trainer: Trainer) -> list[str]:
    """Return the names of the callbacks that may end a run before its planned length."""
    found = []
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        kinds = [kind.__name__ for kind in type(callback).__mro__ if _is_lightnings(kind)]
        known = next((kind for kind in kinds if kind in _EARLY_STOPPERS), None)
        if known is not None:
            found.append(type(callback).__name__ + _EARLY_STOPPERS[known])
    return found


def warn_of_early_stoppers(trainer: Trainer, who: str, steps: int) -> None:
    """Warn where a callback may end the run before its ``steps`` steps."""
    if names := early_stoppers(trainer):
        rank_zero_warn(
            f"{who}: {' and '.join(names)} may end the run before its {steps} steps, and a run "
            "that stops on the plateau of its schedule is not annealed: leave it out, and set "
            "max_epochs or max_steps to the length that you can afford"
        )


def warn_of_end(trainer: Trainer, who: str, steps: int) -> int | None:
    """Warn if the run has ended before its ``steps`` steps; return after how many, or None."""
    if (made := trainer.global_step) >= steps:
        return None
    rank_zero_warn(
        f"{who}: the run ended after {made} of {steps} steps, before its schedule did: it is not "
        "annealed; set max_epochs or max_steps to the length that you can afford"
    )
    return made


def announce(result: Result, *, cut: bool = False) -> None:
    """Say what the search has come to; warn where nothing could be compared.

    Args:
        result: The result.
        cut: Whether the run ended before the search: then a peak is no news.
    """
    if not result.compared:
        rank_zero_warn(closing(result))
    elif result.probe_steps and not cut:
        rank_zero_info(closing(result))


def finalized(result: Result, trainer: Trainer, save_to: str | Path | None) -> Result:
    """Return a result with what became of its run, and save it where that is wanted."""
    result = replace(result, stopped_at=warn_of_end(trainer, "AutoLR", result.total_steps))
    if save_to is not None and trainer.is_global_zero:
        result.save(save_to)
    return result


def _is_lightnings(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in _PACKAGES
