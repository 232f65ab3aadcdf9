"""A study whose trials are trained by workers: a loop that passes messages on."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from autolr import errors
from autolr.config import Config
from autolr.driver.controller import TrialController, Work
from autolr.driver.engine import Engine
from autolr.driver.events import Event, WorkerLost
from autolr.driver.messages import (
    Answer,
    Check,
    Checked,
    Done,
    Failed,
    FromWorker,
    Leave,
    Lost,
    Over,
    Ready,
    Remark,
    Scored,
    Train,
    for_workers,
)
from autolr.driver.signals import PATIENCE, Interrupted, Shutdown
from autolr.errors import AutoLRError, SetupError, UserCodeError
from autolr.study import Finish

_LOOK_EVERY = 0.2  # seconds between looks at signals and clocks
_STILLBORN = 3  # workers that end before they are ready, in a row, or in the check; then it stops


@dataclass
class _Seat:
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
        stop: Tells whether a signal came.
        listener: Told of workers that are lost.
        reuse: Whether a worker may train several trials; not so one whose trials have several
            ranks, for its process group ends with it.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        workers: int,
        stop: Shutdown,
        listener: Callable[[Event], None],
        *,
        reuse: bool = True,
    ) -> None:
        self._reuse = reuse
        self._config = config
        self._engine = engine
        self._seats = {worker: _Seat() for worker in range(workers)}
        self._stop = stop
        self._listener = listener
        self._stillborn = 0
        self._checker: int | None = None
        self._checkers_lost = 0

    def start(self) -> None:
        """Start all workers; they import what they need while the config is checked."""
        for worker in self._seats:
            self._engine.start(worker)

    def check(self) -> Checked:
        """Have a worker check the config, and return what it says of a run.

        Raises:
            ConfigError: If the config cannot work.
            UserCodeError: If the model or the data raise, or no worker can be started, or too many
                are gone before they have checked it.
        """
        checked: Checked | None = None
        while checked is None:
            if self._stop.signum is not None:
                raise Interrupted(self._stop.signum)
            self._have_checked()
            for worker, message in self._engine.poll(_LOOK_EVERY):
                if isinstance(message, Checked):
                    checked = message
                    self._renew(worker)
                else:
                    self._receive_in_check(worker, message)
        return checked

    def _have_checked(self) -> None:
        """Give the check to one that is ready, unless somebody is at it."""
        ready = [worker for worker, seat in self._seats.items() if seat.ready]
        if self._checker is None and ready:
            self._checker = ready[0]
            self._engine.send(
                self._checker, Check(for_workers(self._config), self._config.tune.folder)
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
            end: Of `time.monotonic`; nothing is begun after it.
            renew: Called now and then, so that others know that this process is there.

        Raises:
            UserCodeError: If too many trials in a row failed.
            ConfigError: If the config cannot work after all.
        """
        while not self._stop.requested():
            if time.monotonic() < end and self._assign(controller):
                controller.finish()
                for worker in self._seats:
                    self._engine.send(worker, Over())
                return
            if time.monotonic() >= end and not self._busy():
                return
            self._listen(controller)
            self._enforce(controller)
            renew()
        self._leave(controller)

    def _busy(self) -> bool:
        return any(seat.number is not None for seat in self._seats.values())

    def _assign(self, controller: TrialController) -> bool:
        """Give work to all who are free; return whether the study is over."""
        for worker, seat in self._seats.items():
            if not seat.ready or seat.number is not None:
                continue
            action = controller.next()
            if isinstance(action, Finish):
                return True
            if not isinstance(action, Work):
                return False
            lease = self._engine.lease(worker)
            if lease is not None:
                controller.begun(action.number, lease.to_dict())
            seat.number = action.number
            seat.deadline = time.monotonic() + (self._config.tune.trial_timeout or float("inf"))
            self._engine.send(worker, Train(action.job))
        return False

    def _listen(self, controller: TrialController) -> None:
        for worker, message in self._engine.poll(_LOOK_EVERY):
            self._receive(controller, worker, message)

    def _receive(
        self, controller: TrialController | None, worker: int, message: FromWorker
    ) -> None:
        seat = self._seats[worker]
        match message:
            case Ready():
                seat.ready, self._stillborn = True, 0
            case Scored() | Remark() | Done():
                if controller is None or seat.number is None:
                    why = "it speaks of a trial that it does not have"
                    self._lost(controller, worker, why, own_fault=False)
                else:
                    self._receive_of_trial(controller, worker, seat.number, message)
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
                self._seats[worker].number = None
                self._renew(worker)

    def _fail(
        self, controller: TrialController | None, worker: int, reason: str, *, unbegun: bool = False
    ) -> None:
        """Count a failed attempt; its worker may be in any state, so another one is started."""
        number = self._seats[worker].number
        self._restart(worker)
        if controller is not None and number is not None:
            controller.fail(number, reason, unbegun=unbegun)

    def _lost(
        self, controller: TrialController | None, worker: int, why: str, *, own_fault: bool
    ) -> None:
        seat = self._seats[worker]
        self._listener(WorkerLost(worker, why, seat.number))
        if not seat.ready:
            self._stillborn += 1
            if self._stillborn == _STILLBORN:
                raise UserCodeError(f"no worker can be started: {why}")
        number = seat.number
        self._restart(worker)
        if controller is None or number is None:
            return
        if own_fault:
            controller.fail(number, f"the worker is gone: {why}")
        else:
            controller.cut(number)

    def _renew(self, worker: int) -> None:
        if not self._reuse and not self._stop.requested():
            self._restart(worker)

    def _restart(self, worker: int) -> None:
        if worker == self._checker:
            self._checker = None
        self._engine.kill(worker)
        self._seats[worker] = _Seat()
        self._engine.start(worker)

    def _enforce(self, controller: TrialController) -> None:
        """End trials that hang."""
        for worker, seat in list(self._seats.items()):
            if time.monotonic() > seat.deadline:
                seconds = self._config.tune.trial_timeout
                self._fail(controller, worker, f"no end within trial_timeout, {seconds:g} s")

    def _leave(self, controller: TrialController) -> None:
        """Have all trials written down, and end the workers; who takes too long is cut."""
        for worker, seat in self._seats.items():
            if seat.number is not None:
                self._engine.send(worker, Leave())
        end = time.monotonic() + PATIENCE
        while self._busy() and time.monotonic() < end:
            for worker, message in self._engine.poll(end - time.monotonic()):
                if isinstance(message, Scored | Remark | Done):
                    self._receive(controller, worker, message)
                elif isinstance(message, Lost | Failed):
                    self._cut(controller, self._seats[worker])
        for seat in self._seats.values():
            self._cut(controller, seat)

    def _cut(self, controller: TrialController, seat: _Seat) -> None:
        if seat.number is not None:
            controller.cut(seat.number)
            seat.number = None


def _error(message: Failed) -> AutoLRError:
    error: AutoLRError = getattr(errors, message.kind)(message.reason)
    return error
