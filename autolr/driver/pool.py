"""A study whose trials are trained by workers: a loop that reads and answers their messages."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from autolr import errors
from autolr.config import Config
from autolr.driver.controller import TrialController
from autolr.driver.engines import Engine
from autolr.driver.events import Event, WorkerLost
from autolr.driver.messages import (
    Answer,
    CheckConfig,
    Checked,
    Done,
    Failed,
    FromWorker,
    LeaveTrial,
    Lost,
    Ready,
    Remark,
    Scored,
    StudyOver,
    TrainTrial,
    for_workers,
)
from autolr.driver.signals import PATIENCE, Interrupted, Shutdown
from autolr.driver.work import Work
from autolr.errors import AutoLRError, SetupError, UserCodeError
from autolr.study import Finish

_LOOK_EVERY = 0.2  # seconds between looks at signals and clocks: Ctrl-C seems immediate
# Workers that end before they are ready, in a row, or in the check; then the study stops: one may
# have been killed by chance, three have a common cause.
_STILLBORN = 3


@dataclass
class _State:
    """A worker as the loop sees it: what it trains, and until when it may."""

    ready: bool = False
    number: int | None = None
    deadline: float = float("inf")


class Pool:
    """Keeps workers busy with what a `TrialController` decides.

    Args:
        config: The whole config.
        engine: Runs the workers.
        workers: How many.
        shutdown: Whether a signal came.
        listener: Called when a worker is lost.
        reuse: Whether a worker may train several trials; not so one whose trials have several
            ranks, for its process group ends with it.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        workers: int,
        shutdown: Shutdown,
        listener: Callable[[Event], None],
        *,
        reuse: bool = True,
    ) -> None:
        self._reuse = reuse
        self._config = config
        self._engine = engine
        self._states = {worker: _State() for worker in range(workers)}
        self._shutdown = shutdown
        self._listener = listener
        self._stillborn = 0
        self._checker: int | None = None
        self._checkers_lost = 0

    def start(self) -> None:
        """Start all workers; they import what they need while the config is checked."""
        for worker in self._states:
            self._engine.start(worker)

    def check(self) -> Checked:
        """Have a worker check the config, and return what is known of a run.

        Raises:
            ConfigError: If the config cannot work.
            UserCodeError: If the model or the data raise, or no worker can be started, or too many
                are gone before they have checked it.
        """
        checked: Checked | None = None
        while checked is None:
            if self._shutdown.signum is not None:
                raise Interrupted(self._shutdown.signum)
            self._have_checked()
            for worker, message in self._engine.poll(_LOOK_EVERY):
                if isinstance(message, Checked):
                    checked = message
                    self._renew(worker)
                else:
                    self._receive_in_check(worker, message)
        return checked

    def _have_checked(self) -> None:
        """Give the check to a worker that is ready, unless one has it."""
        ready = [worker for worker, state in self._states.items() if state.ready]
        if self._checker is None and ready:
            self._checker = ready[0]
            self._engine.send(
                self._checker, CheckConfig(for_workers(self._config), self._config.tune.folder)
            )

    def _receive_in_check(self, worker: int, message: FromWorker) -> None:
        match message:
            case Failed():
                raise _error(message)
            case Lost(why, own_fault) if worker == self._checker:
                self._checker = None
                self._checkers_lost += 1
                if own_fault or self._checkers_lost == _STILLBORN:
                    raise UserCodeError(f"the worker that checked the config is gone: {why}")
        self._receive(None, worker, message)

    def run(
        self, controller: TrialController, end: float, renew: Callable[[], None] = lambda: None
    ) -> None:
        """Train until the study is over, a signal comes, or the clock is past ``end``.

        Args:
            controller: Decides.
            end: Of `time.monotonic`; no trial is started after it.
            renew: Called several times a second, so that others see that this process runs.

        Raises:
            UserCodeError: If too many trials in a row failed.
            ConfigError: If the config cannot work after all.
        """
        while not self._shutdown.requested():
            if time.monotonic() < end and self._assign(controller):
                controller.finish()
                for worker in self._states:
                    self._engine.send(worker, StudyOver())
                return
            if time.monotonic() >= end and not self._busy():
                return
            self._read(controller)
            self._enforce(controller)
            renew()
        self._leave(controller)

    def _busy(self) -> bool:
        return any(state.number is not None for state in self._states.values())

    def _assign(self, controller: TrialController) -> bool:
        """Give work to all free workers; return whether the study is over."""
        for worker, state in self._states.items():
            if not state.ready or state.number is not None:
                continue
            action = controller.next()
            if isinstance(action, Finish):
                return True
            if not isinstance(action, Work):
                return False
            lease = self._engine.lease(worker)
            if lease is not None:
                controller.begun(action.number, lease.to_dict())
            state.number = action.number
            state.deadline = time.monotonic() + (self._config.tune.trial_timeout or float("inf"))
            self._engine.send(worker, TrainTrial(action.job))
        return False

    def _read(self, controller: TrialController) -> None:
        for worker, message in self._engine.poll(_LOOK_EVERY):
            self._receive(controller, worker, message)

    def _receive(
        self, controller: TrialController | None, worker: int, message: FromWorker
    ) -> None:
        state = self._states[worker]
        match message:
            case Ready():
                state.ready, self._stillborn = True, 0
            case Scored() | Remark() | Done():
                if controller is None or state.number is None:
                    why = "it reports on a trial that it does not have"
                    self._lost(controller, worker, why, own_fault=False)
                else:
                    self._receive_of_trial(controller, worker, state.number, message)
            case Failed():
                error = _error(message)
                if not isinstance(error, UserCodeError):
                    raise error
                self._fail(controller, worker, str(error), unbegun=isinstance(error, SetupError))
            case Lost(why, own_fault):
                self._lost(controller, worker, why, own_fault=own_fault)

    def _receive_of_trial(
        self, controller: TrialController, worker: int, number: int, message: Scored | Remark | Done
    ) -> None:
        match message:
            case Scored(step, score):
                self._engine.send(worker, Answer(controller.judge(number, step, score)))
            case Remark(line):
                controller.remark(number, line)
            case Done(outcome):
                controller.end(number, outcome)
                self._states[worker].number = None
                self._renew(worker)

    def _fail(
        self, controller: TrialController | None, worker: int, reason: str, *, unbegun: bool = False
    ) -> None:
        """Count a failed attempt; its worker may be in any state, so another one is started."""
        number = self._states[worker].number
        self._restart(worker)
        if controller is not None and number is not None:
            controller.fail(number, reason, unbegun=unbegun)

    def _lost(
        self, controller: TrialController | None, worker: int, why: str, *, own_fault: bool
    ) -> None:
        state = self._states[worker]
        self._listener(WorkerLost(worker, why, state.number))
        if not state.ready:
            self._stillborn += 1
            if self._stillborn == _STILLBORN:
                raise UserCodeError(f"no worker can be started: {why}")
        number = state.number
        self._restart(worker)
        if controller is None or number is None:
            return
        if own_fault:
            controller.fail(number, f"the worker is gone: {why}")
        else:
            controller.cut(number)

    def _renew(self, worker: int) -> None:
        if not self._reuse and not self._shutdown.requested():
            self._restart(worker)

    def _restart(self, worker: int) -> None:
        if worker == self._checker:
            self._checker = None
        self._engine.kill(worker)
        self._states[worker] = _State()
        self._engine.start(worker)

    def _enforce(self, controller: TrialController) -> None:
        """End trials that hang."""
        for worker, state in list(self._states.items()):
            if time.monotonic() > state.deadline:
                seconds = self._config.tune.trial_timeout
                self._fail(controller, worker, f"no end within trial_timeout, {seconds:g} s")

    def _leave(self, controller: TrialController) -> None:
        """Have all trials write a checkpoint; those that take too long are cut."""
        for worker, state in self._states.items():
            if state.number is not None:
                self._engine.send(worker, LeaveTrial())
        end = time.monotonic() + PATIENCE
        while self._busy() and time.monotonic() < end:
            for worker, message in self._engine.poll(end - time.monotonic()):
                if isinstance(message, Scored | Remark | Done):
                    self._receive(controller, worker, message)
                elif isinstance(message, Lost | Failed):
                    self._cut(controller, self._states[worker])
        for state in self._states.values():
            self._cut(controller, state)

    def _cut(self, controller: TrialController, state: _State) -> None:
        if state.number is not None:
            controller.cut(state.number)
            state.number = None


def _error(message: Failed) -> AutoLRError:
    error: AutoLRError = getattr(errors, message.kind)(message.reason)
    return error
