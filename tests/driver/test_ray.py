"""A study on a Ray cluster that is interrupted, loses a node, and has its server restarted."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import autolr
from autolr.config import read_config
from autolr.driver import (
    Event,
    RungReached,
    TrialEnded,
    TrialStarted,
    TuneResult,
    WorkerLost,
    ray_engine,
)
from autolr.driver.messages import Failed, FromWorker
from autolr.driver.ray_engine import Guard, RayEngine
from autolr.driver.wire import from_json
from autolr.errors import ConfigError
from autolr.gpu_sharing import sharers
from autolr.study import look
from autolr.testing.engine import start
from tests.end_to_end.conftest import CONFIG, MODEL
from tests.postgresql import Server, running_server

# without a search in the first trial: what is drawn behind it depends on which trials have ended
_PROJECT: dict[str, Any] = {**CONFIG, "tune": {**CONFIG["tune"], "trials": 3, "online": False}}
_PAUSE = 'float(os.environ.get("PAUSE", 0))'
_SLOWLY = '0.2 if os.path.exists("slow") else 0'


def test_a_missing_ray_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'ray>=2\.40'"):
        autolr.tune(_PROJECT, engine="ray")


def test_a_node_with_another_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "_SHARED_WITHIN", 0.0)
    guard = Guard(0, str(tmp_path), str(tmp_path / "out"), "secret", [])
    (refusal,) = from_json(guard.poll(0.0), FromWorker)
    assert isinstance(refusal, Failed)
    assert refusal.kind == "ConfigError"
    assert "out must be the same on all nodes" in refusal.reason


@pytest.mark.slow
def test_trials_that_share_a_gpu_get_their_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.chdir(tmp_path)
    ray.init(num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)
    tune = {"space": {"lr": 0.1}, "workers": "auto", "trials_per_gpu": 2}
    objective = "autolr.testing.counting.CountingObjective"
    engine = RayEngine.place(read_config({"objective": objective, "tune": tune}))
    try:
        start(engine, *range(engine.workers))
        leases = [engine.lease(worker) for worker in range(4)]
        seen = [_environment(lease.pid) for lease in leases if lease is not None]
        assert sorted(one["CUDA_VISIBLE_DEVICES"] for one in seen) == ["0", "0", "1", "1"]
        assert [sharers(one) for one in seen] == [2, 2, 2, 2]
    finally:
        engine.close()
        ray.shutdown()


def _environment(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


@dataclass(frozen=True)
class Story:
    """A study that a signal cut, and what became of it when a node was lost later on.

    Attributes:
        url: Its storage.
        begun: What happened up to the signal.
        heard: And after it.
        cut: The result of the first call.
        result: Of the second one.
        restarts: Of the server, in mid-study.
    """

    url: str
    begun: Sequence[Event]
    heard: Sequence[Event]
    cut: TuneResult
    result: TuneResult
    restarts: int


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Training is slow until the node is lost, so that its worker is in the middle of a trial."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "line.py").write_text(MODEL.replace(_PAUSE, _SLOWLY))
    (folder / "slow").touch()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        cluster = stack.enter_context(_cluster())
        patch.setenv("RAY_ADDRESS", cluster.address)
        server = None
        with suppress(pytest.skip.Exception):  # then the study is in a file
            server = stack.enter_context(running_server())
        url = "sqlite:///runs.db" if server is None else server.new_database()
        yield _story(url, cluster, server)


@contextmanager
def _cluster() -> Iterator[Any]:
    """Run two nodes with a place each; one of them is the head."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
    node = {"num_cpus": 1, "include_log_monitor": False}
    made = cluster_utils.Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False}
    )
    try:
        made.add_node(**node)
        yield made
    finally:
        made.shutdown()


def _story(url: str, cluster: Any, server: Server | None) -> Story:
    begun: list[Event] = []
    heard: list[Event] = []
    restarts: list[threading.Timer] = []
    stopped = threading.Event()

    def interrupt(event: Event) -> None:
        begun.append(event)
        if not stopped.is_set() and _two_train(begun):
            stopped.set()
            os.kill(os.getpid(), signal.SIGTERM)

    def damage(event: Event) -> None:
        heard.append(event)
        if isinstance(event, WorkerLost):
            Path("slow").unlink(missing_ok=True)
        if isinstance(event, RungReached) and len(_training(heard)) == 2 and cluster.worker_nodes:
            cluster.remove_node(*cluster.worker_nodes, allow_graceful=False)
            if server is not None:
                server.stop()
                restarts.append(threading.Timer(1.0, server.start))
                restarts[0].start()

    cut = autolr.tune(_PROJECT, storage=url, engine="ray", workers=2, listener=interrupt)
    result = autolr.tune(_PROJECT, storage=url, engine="ray", workers=2, listener=damage)
    for restart in restarts:
        restart.join()
    return Story(url, begun, heard, cut, result, len(restarts))


def _rungs(events: Sequence[Event]) -> list[tuple[int, int]]:
    return [(event.number, event.step) for event in events if isinstance(event, RungReached)]


def _two_train(events: Sequence[Event]) -> bool:
    """Tell whether a rung was reached and two trials are under way; a node may come late."""
    return bool(_rungs(events)) and len(_training(events)) == 2


def _training(events: Sequence[Event]) -> set[int]:
    """Return the trials that are under way after these events."""
    actual: set[int] = set()
    for event in events:
        match event:
            case TrialStarted(number):
                actual.add(number)
            case RungReached(number, continues=False):
                actual.discard(number)
            case TrialEnded(trial):
                actual.discard(trial.number)
    return actual


@pytest.mark.slow
def test_a_signal_has_the_trials_of_all_nodes_written_down(story: Story) -> None:
    assert story.cut.interrupted == signal.SIGTERM
    waiting = {trial.number for trial in story.cut.trials if trial.state == "WAITING"}
    again = {event.number for event in story.heard if isinstance(event, TrialStarted)}
    assert len(waiting) == 2
    assert again >= waiting


@pytest.mark.slow
def test_a_trial_whose_node_is_lost_continues_elsewhere(story: Story) -> None:
    assert (story.result.finished, story.result.failed) == (3, 0)
    gone = [event.number for event in story.heard if isinstance(event, WorkerLost)]
    (cut,) = (number for number in gone if number is not None)
    starts = [event for event in story.heard if isinstance(event, TrialStarted)]
    assert [event.again for event in starts if event.number == cut] == [True, True]


@pytest.mark.slow
def test_nothing_is_trained_twice_and_all_is_as_if_nothing_had_happened(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rungs = _rungs([*story.begun, *story.heard])
    assert len(set(rungs)) == len(rungs)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.py").write_text(MODEL)
    alone = autolr.tune(_PROJECT)
    for trial, other in zip(story.result.trials, alone.trials, strict=True):
        assert trial.params == other.params
        common = trial.scores.keys() & other.scores.keys()
        assert common
        assert {at: trial.scores[at] for at in common} == {at: other.scores[at] for at in common}


@pytest.mark.slow
def test_a_study_continues_when_its_server_was_restarted_as_a_node_was_lost(story: Story) -> None:
    if not story.url.startswith("postgresql"):
        pytest.skip("no PostgreSQL server is installed")
    assert story.restarts == 1
    stored = look(story.url, "line")
    assert (stored.finished, stored.running, stored.waiting) == (3, 0, 0)
    assert [trial.value for trial in stored.trials] == [t.value for t in story.result.trials]
