"""Studies with simulated workers: whatever dies, no trial is lost and none is trained twice."""

import contextlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from autolr.config import Config, read_config
from autolr.driver.endpoint import Endpoint
from autolr.driver.events import Event, RungReached, TrialEnded, TrialStarted, WorkerLost
from autolr.driver.messages import CheckConfig, Checked, Lost, Ready, Remark, Scored, ToWorker
from autolr.driver.pool import Pool
from autolr.driver.remote_engine import RemoteEngine
from autolr.driver.signals import Shutdown
from autolr.errors import UserCodeError
from autolr.study import peek
from examples.scale.simulated import RUN_STEPS, SimulatedEngine, simulate
from tests.cases import only_with_slow


def study_of(folder: Path) -> Any:
    summary = peek(f"sqlite:///{folder}/runs.db", "simulated")
    assert summary is not None
    return summary


def test_four_workers_finish_all_trials(tmp_path: Path) -> None:
    heard: list[Event] = []
    engine = SimulatedEngine()
    handle = simulate(tmp_path, engine, 4, 25, heard.append)
    assert handle.finished == 25
    assert Counter(trial.state for trial in study_of(tmp_path).trials).keys() == {
        "COMPLETE",
        "PRUNED",
    }
    assert study_of(tmp_path).trials == handle.trials
    ended = Counter(event.trial.number for event in heard if isinstance(event, TrialEnded))
    assert ended == Counter(range(25))
    # no step was trained twice: what was paused went on from its rung
    assert engine.trained == sum(trial.attrs["steps"] for trial in handle.trials)
    assert any(isinstance(e, TrialStarted) and e.promoted is not None for e in heard)
    values = [trial.value for trial in handle.trials if trial.value is not None]
    assert handle.best()[0].value == min(values)


def test_workers_that_die_cost_no_trial_and_no_attempt(tmp_path: Path) -> None:
    heard: list[Event] = []
    handle = simulate(tmp_path, SimulatedEngine(deaths=0.2, seed=3), 4, 25, heard.append)
    lost = [event for event in heard if isinstance(event, WorkerLost)]
    assert len(lost) > 10
    assert handle.finished == 25
    summary = study_of(tmp_path)
    assert (summary.running, summary.waiting, summary.failed) == (0, 0, 0)
    assert not any("attempts" in trial.attrs for trial in summary.trials)
    whole = [trial for trial in summary.trials if trial.state == "COMPLETE"]
    assert all(trial.attrs["steps"] == RUN_STEPS for trial in whole)
    assert len({tuple(trial.params.items()) for trial in whole}) == len(whole)


@pytest.mark.slow
def test_one_worker_decides_the_same_in_every_study(tmp_path: Path) -> None:
    ends = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        handle = simulate(tmp_path / name, SimulatedEngine(), 1, 12, study=name)
        ends.append([(t.state, t.value, t.params, t.scores) for t in handle.trials])
    assert ends[0] == ends[1]


@pytest.mark.slow
def test_a_study_that_dies_continues_as_if_it_had_not(tmp_path: Path) -> None:
    class Died(BaseException):
        """The end of a driver at any event."""

    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = simulate(tmp_path / "whole", SimulatedEngine(), 1, 12)

    engine, left = SimulatedEngine(), [5, 9, 3, 14]

    def dying(event: Event) -> None:
        if left and isinstance(event, TrialStarted | RungReached | TrialEnded):
            left[0] -= 1
            if left[0] == 0:
                left.pop(0)
                raise Died

    while left:
        with contextlib.suppress(Died):
            simulate(tmp_path / "cut", engine, 1, 12, dying).close()
    cut = simulate(tmp_path / "cut", engine, 1, 12, dying)
    compared = [
        [(t.state, t.value, t.params, t.scores) for t in handle.trials] for handle in (whole, cut)
    ]
    assert compared[0] == compared[1]


@pytest.mark.parametrize("eta", [*only_with_slow(2), 3])
def test_paused_trials_are_no_secret_to_the_sampler(tmp_path: Path, eta: int) -> None:
    pruner = {"name": "hyperband", "eta": eta}
    handle = simulate(tmp_path, SimulatedEngine(), 1, 40, pruner=pruner)
    late = [trial.params["lr"] for trial in handle.trials[20:]]
    # the best rate is 0.01 of [1e-5, 1]: a random half of the trials would lie within 30 x of it
    assert sum(0.01 / 30 < rate < 0.01 * 30 for rate in late) > 14


def test_the_config_is_checked_by_a_worker_that_is_ready_and_stays(tmp_path: Path) -> None:
    engine = RemoteEngine(tmp_path, "127.0.0.1")
    endpoint = Endpoint.read(tmp_path)
    assert endpoint is not None
    heard: list[Event] = []
    pool = Pool(checked_config(tmp_path), engine, 3, Shutdown(), heard.append)
    pool.start()

    def workers() -> None:
        with endpoint.enter():  # the first one never gets ready
            for last_word in (Lost("it was shut down", own_fault=False), Checked(7)):
                with endpoint.enter() as channel:
                    channel.send(Ready())
                    assert isinstance(next(channel.messages()), CheckConfig)
                    channel.send(last_word)

    with ThreadPoolExecutor() as threads:
        came = threads.submit(workers)
        assert pool.check() == Checked(7)
        came.result()
    engine.close()
    assert heard == [WorkerLost(1, "it was shut down", None)]


def test_a_worker_that_speaks_of_a_trial_that_it_does_not_have_is_turned_out(
    tmp_path: Path,
) -> None:
    engine = RemoteEngine(tmp_path, "127.0.0.1")
    endpoint = Endpoint.read(tmp_path)
    assert endpoint is not None
    heard: list[Event] = []
    pool = Pool(checked_config(tmp_path), engine, 1, Shutdown(), heard.append)
    pool.start()

    def workers() -> None:
        for word in (Scored(3, 0.1), Remark("x"), Checked(7)):
            with endpoint.enter() as channel:
                channel.send(Ready())
                assert isinstance(next(channel.messages()), CheckConfig)
                channel.send(word)
                assert list(channel.messages()) == []

    with ThreadPoolExecutor() as pool_of_workers:
        came = pool_of_workers.submit(workers)
        assert pool.check() == Checked(7)
        engine.close()
        came.result()
    assert heard == [WorkerLost(0, "it reports on a trial that it does not have", None)] * 2


@pytest.mark.parametrize(("own_fault", "checks"), [(True, 1), (False, 3)])
def test_a_config_whose_checks_all_end_their_workers_is_given_up(
    tmp_path: Path, own_fault: bool, checks: int
) -> None:
    class Deadly(SimulatedEngine):
        """Loses every worker that checks."""

        def send(self, worker: int, message: ToWorker) -> None:
            assert isinstance(message, CheckConfig)
            self._workers[worker].outbox.append(Lost("gone", own_fault))
            workers_checked.append(worker)

    workers_checked: list[int] = []
    pool = Pool(checked_config(tmp_path), Deadly(), 2, Shutdown(), lambda event: None)
    pool.start()
    with pytest.raises(UserCodeError, match="the worker that checked the config is gone: gone"):
        pool.check()
    assert len(workers_checked) == checks


def checked_config(folder: Path) -> Config:
    return read_config({"tune": {"space": {"lr": {"low": 1e-5, "high": 1.0}}, "out": str(folder)}})
