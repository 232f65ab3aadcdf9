"""Says where a run is judged that is shorter or longer than those that the rungs are meant for."""

from collections.abc import Callable, Collection

from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.callbacks.prune import PruneTrial
from autolr.counted import counted


class OwnLength(Callback):
    """Say once, as a run begins, after how many of its own steps its rungs are.

    Put it behind the `PruneTrial` that judges the run.

    Args:
        prune: Knows the length of the run.
        horizon: Steps of the runs that the rungs are meant for.
        known: Rungs that the study has scores of: a run that has some has said it.
        say: Gets the line, on rank 0.
    """

    def __init__(
        self, prune: PruneTrial, horizon: int, known: Collection[int], say: Callable[[str], None]
    ) -> None:
        self._prune = prune
        self._horizon = horizon
        self._known = known
        self._say = say

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        rungs, steps = self._prune.rungs, self._prune.run_steps
        if steps == self._horizon or not rungs or self._known or not trainer.is_global_zero:
            return
        meant, own = (_listed(some) for some in (rungs, rungs.values()))
        self._say(
            f"its run has {counted(steps, 'step')}, where the config has {self._horizon}: it is "
            f"judged after {own} in place of {meant}"
        )


def _listed(steps: Collection[int]) -> str:
    return " and ".join(map(str, sorted(steps)))
