"""The online search in a training loop of the user's own."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.online.settings import SearchSettings
from autolr.online.strategy import Strategy
from autolr.result.files import check_save_to, save_after
from autolr.result.prior import read_prior
from autolr.result.result import Result
from autolr.rng import RngState
from autolr.runtime.batch_norm import is_synchronized
from autolr.runtime.checkpoint_format import FORMAT
from autolr.runtime.closure_learner import ClosureLearner
from autolr.runtime.described import LENGTH, described_settings
from autolr.runtime.loop_requirements import check_loop, check_steps_left
from autolr.runtime.plain import device_of
from autolr.runtime.process_group import ranks_of
from autolr.runtime.resumed_loop import check_resumed
from autolr.runtime.room import room_for
from autolr.runtime.stepped import SteppedSearch
from autolr.runtime.user_functions import check_call
from autolr.runtime.user_schedulers import own_peak_of
from autolr.runtime.user_steps import ForwardSteps, UserSteps
from autolr.runtime.whole_steps import WholeSteps
from autolr.runtime.wrapped import Wrapped
from autolr.schedules import Schedule


class Tuner:
    """Search the peak rate in a training loop of your own.

    The loop keeps its data, logging, checkpoints and validation, and calls `step` or `repeat` for
    each batch. There the run makes its step, and rivals with other peaks make the same one beside
    it: same batch, same random numbers. The best one's state replaces that of the run, in the
    model and the optimizer that you hold. All that `AutoLR` does in a Trainer is done here.

    ``step(closure)`` needs the forward pass alone:

        tuner = autolr.Tuner(model, optimizer, total_steps, validate=validate)
        for inputs, targets in loader:
            loss = tuner.step(lambda: loss_fn(model(inputs), targets))
        print(tuner.result)

    ``repeat(train_step)`` takes a whole step as you have written it, with autocast, a gradient
    scaler, clipping, accumulation, Fabric or Accelerate:

        def train_step():
            optimizer.zero_grad()
            loss = loss_fn(model(inputs), targets)
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
            return loss

        loss = tuner.repeat(train_step)

    What is called is called again for each rival, so it must do the same each time: log what comes
    back, step schedulers and count after it. The first call makes no search where two calls differ:
    a line says in what, and the run keeps its rate.

    The rate that was applied stands in the optimizer's groups after each step. An optimizer that
    has a scheduler keeps its shape: step the scheduler as ever, and the search multiplies what it
    writes. Under torch's DDP every rank calls the Tuner alike. `FullyShardedDataParallel` and
    DeepSpeed are refused.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> model, inputs = torch.nn.Linear(4, 1), torch.randn(64, 4)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    >>> def loss_of(model): return (model(inputs).squeeze() - inputs.sum(1)).square().mean()
    >>> tuner = Tuner(model, optimizer, 200, validate=loss_of)
    >>> losses = [float(tuner.step(lambda: loss_of(model))) for _ in range(200)]
    >>> losses[-1] < 1e-3 < losses[0], tuner.result.peak > 0.01
    (True, True)

    Args:
        model: The model, or its wrapper of torch, Fabric or Accelerate, in training mode.
        optimizer: Its optimizer, or the wrapper of that; a list of several, whose rates keep their
            ratios (`Result.factor` multiplies them all). They need ``validate``.
        total_steps: Optimizer steps of the run.
        validate: ``validate(model)`` returns the score of the model in place, or its scores by
            validation batch, whose scatter tells differences from noise. Called in evaluation mode
            without gradients. None: training losses on the last 8 batches are compared.
        mode: Whether a lower ("min") or a higher ("max") score is better.
        strategy: See `AutoLR`.
        schedule: See `AutoLR`; None: a short warm-up, a plateau and a linear end over the last
            40 %, or the shape of the optimizer's own scheduler.
        rates: See `AutoLR`.
        candidates: See `AutoLR`; a space of peaks and profiles: rules do not race here.
        backward: For `step`: called with the loss in the place of ``loss.backward()``, such as
            ``fabric.backward`` or ``accelerator.backward``.
        scaler: A `torch.amp.GradScaler` of your own: rivals need their own state of it. `step` uses
            it; those of Fabric and Accelerate are known.
        max_copies: See `AutoLR`.
        save_to: A folder for ``result.json``, ``probes.csv`` and ``result.html``, checked here and
            written after the last step.
        verify: See `AutoLR`.
        prior: See `AutoLR`.

    Raises:
        ConfigError: If a setting cannot work.
        UnsupportedError: If the model is sharded or lazy, or there are rules among the candidates.
    """

    def __init__(  # noqa: PLR0913 - the settings of AutoLR, which users look up here
        self,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer],
        total_steps: int,
        *,
        validate: Callable[[Any], float | Sequence[float] | Tensor] | None = None,
        mode: str = "min",
        strategy: Strategy | str = "annealed",
        schedule: str | Mapping[str, Any] | Schedule | None = None,
        rates: tuple[float, float] | None = None,
        candidates: str | Path | Mapping[str, Any] | None = None,
        backward: Callable[[Tensor], object] | None = None,
        scaler: Any = None,
        max_copies: int | None = None,
        save_to: str | Path | None = None,
        verify: bool = False,
        prior: Result | str | Path | None = None,
    ) -> None:
        settings = SearchSettings(
            strategy, schedule, rates, candidates, verify, read_prior(prior, save_to)
        )
        wrapped = Wrapped.of(model, optimizer)
        check_loop(wrapped, settings, backward, scaler, validated=validate is not None)
        several = dist.is_available() and dist.is_initialized()
        self._speaks = not several or dist.get_rank() == 0
        ranks = ranks_of(
            device_of(wrapped.model),
            dist.get_world_size() if several else 1,
            waits=is_synchronized(wrapped.model),
        )
        ranks.gather(lambda: check_save_to(save_to) if self._speaks else None)
        scored_by = None if settings.searcher.rewinds else validate
        self._learner = ClosureLearner(wrapped, scaler, scored_by, mode, ranks)
        room = room_for(max_copies)
        self._search = SteppedSearch(
            self._learner, settings, total_steps, room, speaks=self._speaks
        )
        self._forward = ForwardSteps(wrapped, backward, scaler)
        self._whole = WholeSteps(wrapped, self._learner.extras)
        self._settings = settings
        self._save_to = save_to
        self._stored: Mapping[str, Any] | None = None
        self._result: Result | None = None
        weakref.finalize(self, _leave, self._search, self._learner).atexit = False

    @property
    def result(self) -> Result:
        """The result: of the search so far, and after the last step of the run.

        Raises:
            AttributeError: Before the first step.
        """
        if self._result is not None:
            return self._result
        if not self._search.begun:
            raise AttributeError("there is no result before the first step")
        return self._search.result()

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """Make an optimizer step of the run and of its rivals; return the run's loss.

        Args:
            closure: Makes the forward pass on the present batch, and returns the loss.

        Raises:
            ConfigError: If the closure returns no loss, or the run has made all its steps.
            DivergedError: If every rate that was tried diverged, or the run too often after that.
        """
        return self._advance(self._forward, closure, "closure")

    def repeat(self, train_step: Callable[[], Tensor | float]) -> Tensor:
        """Have the run and its rivals make a training step of yours; return the run's loss.

        Args:
            train_step: Sets gradients to zero, makes both passes, clips, steps the optimizer, and
                returns the loss. It may leave out the optimizer's step, as while gradients are
                accumulated.

        Raises:
            ConfigError: If it returns no loss, cannot be repeated, or the run has made all its
                steps.
            DivergedError: If every rate that was tried diverged, or the run too often after that.
        """
        return self._advance(self._whole, train_step, "train_step")

    def state_dict(self) -> dict[str, Any]:
        """Return the search and the states of the global random generators, for a checkpoint.

        It holds tensors and plain containers, which ``torch.load(weights_only=True)`` takes back:
        a copy of the weights and the optimizer for each rival and for the state to go back to.
        Model, optimizer and scaler are yours to store beside it.
        """
        ended = self._result
        begun = self._search.begun and ended is None
        return {
            "format": FORMAT,
            "step": self._search.made,
            "search": self._search.state_dict() if begun else None,
            "learner": self._learner.state_dict(),
            "result": None if ended is None else ended.to_dict(),
            "settings": self._described(),
            "generators": RngState.capture().to_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue the search that `state_dict` returned; the global generators are set at once.

        Load model, optimizer, scaler and scheduler too, before the next step: the run ends as the
        uninterrupted one, bit for bit, if the batches that follow are the same.

        Args:
            state: What `state_dict` returned.

        Raises:
            ConfigError: If the state is none of ours, or of a search with other settings.
            UnsupportedError: If it was written in the middle of a step, or by several ranks.
        """
        check_resumed(state, self._described(), self._learner.ranks, begun=self._search.begun)
        self._stored = state["search"]
        self._learner.load_state_dict(state["learner"])
        self._result = None if state["result"] is None else Result.from_dict(state["result"])
        RngState.from_dict(state["generators"]).restore()

    def _advance(self, steps: UserSteps, function: Callable[[], Any], name: str) -> Tensor:
        search, learner = self._search, self._learner
        made = search.total_steps if self._result else search.made
        check_steps_left(made, search.total_steps)
        if not search.begun:
            check_call(name, function, f"{name}()", 0)
        learner.set_step(steps, function, keep=search.wants_batch)
        if not search.begun:
            self._begin()
        loss = search.step(learner.live_step)
        assert loss is not None
        if search.made == search.total_steps:
            self._finish()
        return loss

    def _begin(self) -> None:
        """Begin the search, or continue the stored one."""
        if self._stored is not None:
            self._search.resume(self._stored)
            self._stored = None
            return
        try:
            self._search.begin(own_peak_of(self._learner.optimizer, self._settings))
        except BaseException:
            self._search.detach(keep=False)
            self._learner.forget_step()
            raise

    def _finish(self) -> None:
        """Have the final result; the last rate stays in the optimizer."""
        self._result = self._search.result()
        self._search.close()
        _leave(self._search, self._learner)
        if self._speaks:
            save_after(self._result, self._save_to, self._search.warn)

    def _described(self) -> dict[str, str]:
        """Return what the search depends on."""
        monitor = self._learner.monitor
        length = {LENGTH: self._search.total_steps}
        return described_settings(self._settings, monitor.name, monitor.mode, length)


def _leave(search: SteppedSearch, learner: ClosureLearner) -> None:
    """Leave the optimizer; the rates that were applied last stay in it."""
    search.detach(keep=True)
    learner.count.remove()
