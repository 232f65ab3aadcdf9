"""What learners of plain PyTorch runs share: how a function of the user's scores a state."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from autolr.direction import MODES
from autolr.errors import ConfigError
from autolr.online.monitor import Monitor
from autolr.rng import isolated_rng
from autolr.runtime.collectives import Alone, Ranks
from autolr.runtime.evaluation import evaluating, mean
from autolr.runtime.returned_values import score_of
from autolr.runtime.score import Score
from autolr.runtime.untouched import untouched
from autolr.runtime.user_functions import check_validate, first_call

if TYPE_CHECKING:
    from autolr.runtime.stateful import Stateful

# Errors of a first pass that are the search's to handle, as it does those of later ones.
_LATER = (ArithmeticError, AssertionError, LookupError, OSError, RuntimeError)


class PlainLearner:
    """A plain PyTorch run, scored by a function of the user's.

    Args:
        model: The model.
        optimizer: Its optimizer.
        validate: ``validate(model)`` returns a score, or the scores by validation batch; None: the
            training loss is compared.
        mode: Whether a lower ("min") or a higher ("max") score is better.
        ranks: The processes that train the run together.

    Raises:
        ConfigError: If ``mode`` is neither, or ``validate`` is no function of a model.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        validate: Callable[[nn.Module], Any] | None,
        mode: str,
        ranks: Ranks | None = None,
    ) -> None:
        if mode not in MODES:
            raise ConfigError.of("mode", mode, "'min' or 'max'")
        check_validate(validate)
        self.model = model
        self.optimizer = optimizer
        self.extras: Sequence[Stateful] = ()
        self.ranks: Ranks = Alone() if ranks is None else ranks
        self.monitor = Monitor(mode=mode) if validate else Monitor("training loss")
        self._validate = validate
        self._given: nn.Module = model  # what the user's functions get
        self._known: Score | None = None

    def validate(self) -> Score | None:
        """Score the state in place; see `Learner`."""
        if self._validate is None:
            return None
        return self._measured() if self._known is None else self._known

    @contextmanager
    def validated(self) -> Iterator[None]:
        """Know the score of the untrained state in the block; see `DrivenLearner`."""
        if self._validate is not None:
            with isolated_rng(), first_call("validate", "validate(model)"), suppress(*_LATER):
                self._known = self._measured()
        try:
            yield
        finally:
            self._known = None

    def _measured(self) -> Score:
        """Return the mean over all ranks; each may have validated the same data, or its share."""
        by_rank = [Score.of(sent) for sent in self.ranks.gather(lambda: astuple(self._own_score()))]
        if all(score == by_rank[0] for score in by_rank):
            return by_rank[0]
        shares = [score.by_batch for score in by_rank]
        return Score(
            mean([score.value for score in by_rank]), sum(shares, ()) if all(shares) else ()
        )

    def _own_score(self) -> Score:
        assert self._validate is not None
        with untouched(self.model), evaluating(self._given), torch.no_grad():
            return score_of(self._validate(self._given), self.monitor)
