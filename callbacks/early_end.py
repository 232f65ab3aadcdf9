"""Messages at the end of a search or run, and warnings where a run may end early."""

from dataclasses import replace
from pathlib import Path

from autolr.callbacks.namespaces import Trainer, rank_zero_info, rank_zero_warn
from autolr.callbacks.step_count import StepCount
from autolr.counted import counted
from autolr.result.files import save_after
from autolr.result.messages import closing, ended
from autolr.result.result import Result

_EARLY_STOPPERS = {"EarlyStopping": "", "Timer": " (max_time)"}  # max_time adds a Timer
_PACKAGES = ("lightning", "pytorch_lightning")


def early_stoppers(trainer: Trainer) -> list[str]:
    """Return the names of the callbacks that may end a run before its planned length."""
    stoppers = []
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        kinds = [kind.__name__ for kind in type(callback).__mro__ if _is_lightnings(kind)]
        known = next((kind for kind in kinds if kind in _EARLY_STOPPERS), None)
        if known is not None:
            stoppers.append(type(callback).__name__ + _EARLY_STOPPERS[known])
    return stoppers


def warn_of_early_stoppers(trainer: Trainer, who: str, steps: int) -> None:
    """Warn where a callback may end the run before its last step.

    Args:
        trainer: The trainer.
        who: Our callback, for the message.
        steps: Optimizer steps of the run.
    """
    if names := early_stoppers(trainer):
        planned = counted(steps, "step")
        rank_zero_warn(
            f"{who}: {' and '.join(names)} may end the run before its {planned}, and a run "
            "that stops on the plateau of its schedule is not annealed: leave it out, and set "
            "max_epochs or max_steps to the length that you can afford"
        )


def warn_of_end(count: StepCount, who: str, steps: int) -> int | None:
    """Warn if the run has ended before its last step.

    Args:
        count: The steps that the run has made.
        who: Our callback, for the message.
        steps: Planned optimizer steps of the run.

    Returns:
        The optimizer steps made, None if they are all.
    """
    if not count.is_short(steps):
        return None
    made = count.made
    rank_zero_warn(
        f"{who}: the run ended after {made} of {counted(steps, 'step')}, before its schedule did: "
        "it is not annealed; set max_epochs or max_steps to the length that you can afford"
    )
    return made


def announce(result: Result, *, cut: bool = False) -> None:
    """Print the result of the search; warn where nothing could be compared.

    Args:
        result: The result.
        cut: Whether the run ended before the search: then a peak is not printed.
    """
    if not result.compared or result.broken_off is not None:
        rank_zero_warn(closing(result))
    elif result.probe_steps and not cut:
        rank_zero_info(closing(result))
    for line in ended(result):
        rank_zero_info(line)


def finalized(
    result: Result, trainer: Trainer, count: StepCount, save_to: str | Path | None
) -> Result:
    """Return a result with the step at which its run stopped; save it if a folder is given.

    Args:
        result: The result of the search.
        trainer: The trainer, after the fit.
        count: The steps that the run has made.
        save_to: The folder; None: the result is not saved.
    """
    result = replace(result, stopped_at=warn_of_end(count, "AutoLR", result.total_steps))
    if trainer.is_global_zero:
        save_after(result, save_to, rank_zero_warn)
    return result


def _is_lightnings(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in _PACKAGES
