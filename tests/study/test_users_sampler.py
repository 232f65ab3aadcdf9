"""Samplers that the user names by their class: Optuna's, and one of one's own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from autolr.errors import ConfigError, UserCodeError
from autolr.sampler import parse_sampler
from autolr.space import parse_space
from autolr.study import Study, open_study, rehearse, sampler

SPACE = parse_space({"lr": {"low": 0.01, "high": 1.0, "log": True}, "rule": ["sgd", "adam"]})
GRID = {"lr": [0.1, 0.2, 0.3], "rule": ["sgd"]}
OWN = """\
import builtins

from optuna.samplers import BaseSampler, RandomSampler

SEEN = []

class Middle(BaseSampler):
    '''Chooses the middle of all ranges at once, and choices by another sampler.'''

    def infer_relative_search_space(self, study, trial):
        from optuna.distributions import FloatDistribution
        return {"lr": FloatDistribution(0.01, 1.0, log=True)}

    def sample_relative(self, study, trial, search_space):
        SEEN.append([(t.state.name, t.values) for t in study.trials if t.number < trial.number])
        return {name: (d.low * d.high) ** 0.5 for name, d in search_space.items()}

    def sample_independent(self, study, trial, name, distribution):
        return RandomSampler(seed=0).sample_independent(study, trial, name, distribution)

class Raising(Middle):
    def __init__(self, error="ValueError", first=0):
        self.error, self.first = error, first
    def sample_relative(self, study, trial, search_space):
        if trial.number >= self.first:
            raise getattr(builtins, self.error)("no map")
        return {}

class Outside(Middle):
    def infer_relative_search_space(self, study, trial):
        return {}
    def sample_independent(self, study, trial, name, distribution):
        return 7.0 if name == "lr" else "sgd"

class Passing(RandomSampler):
    def __init__(self, width: int, **kwargs):
        super().__init__(**kwargs)

class Needy(RandomSampler):
    def __init__(self):
        import no_such_package
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_samplers.py").write_text(OWN)
    (tmp_path / "broken_samplers.py").write_text("x = 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_samplers", raising=False)


def of(path: str, **arguments: Any) -> Any:
    return parse_sampler({"class_path": path, "init_args": arguments})


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # some warn of conditions and of grids
    yield
    optuna.logging.set_verbosity(optuna.logging.INFO)


def study_of(url: str, chosen: Any, name: str = "digits", seed: int = 7) -> Study:
    return open_study(url, name, sampler=chosen, seed=seed)


def propose(handle: Study, trials: int, end: str = "complete") -> list[dict[str, Any]]:
    proposed: list[dict[str, Any]] = []
    for _ in range(trials):
        trial = handle.ask()
        proposed.append(SPACE.suggest(trial))
        if end == "complete":
            handle.complete(trial, proposed[-1]["lr"])
        else:
            handle.report(trial, 5, proposed[-1]["lr"])
            handle.prune(trial, "poor") if end == "prune" else handle.pause(trial)
    return proposed


WITHIN = {"class_path": "RandomSampler"}
ALL = [
    of("QMCSampler"),
    of("QMCSampler", scramble=True),
    of("RandomSampler"),
    of("TPESampler", n_startup_trials=2),
    of("NSGAIISampler", population_size=2),
    of("GridSampler", search_space=GRID),
    of("PartialFixedSampler", fixed_params={"rule": "sgd"}, base_sampler=WITHIN),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chosen", ALL, ids=lambda chosen: chosen["class_path"])
def test_optunas_samplers_propose_by_the_seed_of_the_study(url: str, chosen: Any) -> None:
    assert propose(study_of(url, chosen), 4) == propose(study_of(url, chosen, "same"), 4)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["prune", "pause"])
@pytest.mark.parametrize("chosen", ALL, ids=lambda chosen: chosen["class_path"])
def test_they_search_among_trials_that_did_not_end(url: str, chosen: Any, end: str) -> None:
    assert len(propose(study_of(url, chosen), 4, end)) == 4


@pytest.mark.parametrize(
    ("chosen", "same"),
    [(of("RandomSampler"), False), (of("RandomSampler", seed=3), True)],
)
def test_the_studys_seed_counts_unless_the_sampler_has_one(
    url: str, chosen: Any, same: bool
) -> None:
    one, other = (propose(study_of(url, chosen, f"s{seed}", seed), 2) for seed in (1, 2))
    assert (one == other) is same


def test_a_process_that_resumes_a_study_does_not_repeat_its_trials(url: str) -> None:
    first = propose(study_of(url, of("RandomSampler")), 2)
    assert all(point not in first for point in propose(study_of(url, of("RandomSampler")), 2))


@pytest.mark.parametrize(
    "chosen", [of("QMCSampler"), of("QMCSampler", scramble=True, qmc_type="halton")]
)
def test_a_sequence_continues_where_a_study_was_cut(url: str, chosen: Any) -> None:
    whole = propose(study_of(url, chosen, "whole"), 6)
    cut = [propose(study_of(url, chosen), 1)[0] for _ in range(6)]
    assert cut == whole


def test_a_trial_that_is_resumed_takes_nothing_from_a_sequence(url: str) -> None:
    whole = propose(study_of(url, of("QMCSampler"), "whole"), 5)
    handle = study_of(url, of("QMCSampler"))
    first = propose(handle, 3)
    trial = handle.ask()
    first.append(SPACE.suggest(trial))
    handle.report(trial, 5, 0.5)
    handle.pause(trial)
    resumed = handle.resume(3)
    assert SPACE.suggest(resumed) == first[-1]
    handle.complete(resumed, first[-1]["lr"])
    assert first + propose(handle, 1) == whole


def test_a_grid_is_visited_once_over_all_resumes_and_then_again(url: str) -> None:
    chosen = of("GridSampler", search_space=GRID)
    visited = [propose(study_of(url, chosen), 1)[0]["lr"] for _ in range(3)]
    assert sorted(visited) == GRID["lr"]
    assert propose(study_of(url, chosen), 1)[0]["lr"] in visited  # nothing ends the study


@pytest.mark.usefixtures("own")
def test_a_sampler_of_ones_own_sees_unfinished_trials_with_their_last_score(url: str) -> None:
    import own_samplers  # type: ignore[import-not-found]

    handle = study_of(url, of("own_samplers.Middle"))
    for end in ("prune", "pause", "complete"):
        (point,) = propose(handle, 1, end)
        assert point["lr"] == pytest.approx(0.1)
    propose(handle, 1)
    states = [state for state, _ in own_samplers.SEEN[-1]]
    assert states == ["COMPLETE"] * 3
    assert [values for _, values in own_samplers.SEEN[-1]] == [[pytest.approx(0.1)]] * 3


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("error", ["ValueError", "FileNotFoundError"])
def test_what_a_sampler_raises_within_a_study_is_one_line_with_its_place(
    url: str, error: str
) -> None:
    handle = study_of(url, of("own_samplers.Raising", error=error, first=1))
    propose(handle, 1)
    with pytest.raises(UserCodeError) as raised:
        propose(handle, 1)
    line = rf"own_samplers.Raising(error='{error}', first=1): {error}: no map"
    assert str(raised.value).startswith(f"tune.sampler {line} (")
    assert "own_samplers.py:" in str(raised.value)


WRONG = [
    (of("os.path"), "tune.sampler.class_path must be a sampler, a subclass"),
    (of("collections.OrderedDict"), "tune.sampler.class_path must be a sampler, a subclass of"),
    (of("optuna.samplers.Nope"), "tune.sampler.class_path must be the path of a class"),
    (of("broken_samplers.Mine"), "tune.sampler.class_path must be the path of a class"),
    (of("BaseSampler"), "tune.sampler optuna.samplers.BaseSampler(): TypeError: "),
    (of("QMCSampler", scrambel=True), "tune.sampler.init_args: unknown argument 'scrambel'; did"),
    (of("QMCSampler", scramble="ab"), "tune.sampler.init_args.scramble must be bool, got ab"),
    (of("RandomSampler", seed="x"), "tune.sampler.init_args.seed must be int"),
    (of("GridSampler"), "tune.sampler.init_args.search_space is missing"),
    (of("own_samplers.Passing"), "tune.sampler.init_args.width is missing"),
    (of("own_samplers.Needy"), "tune.sampler own_samplers.Needy(): ModuleNot"),
    (of("QMCSampler", qmc_type="x"), "tune.sampler optuna.samplers.QMCSampler(qmc_type='x')"),
    (of("GridSampler", search_space={"lr": [1]}), "tune.sampler optuna.samplers.GridSampler("),
    (of("BruteForceSampler"), "tune.sampler optuna.samplers.BruteForceSampler(): "),
    (of("own_samplers.Raising"), "tune.sampler own_samplers.Raising(): ValueError: no map"),
    (of("own_samplers.Outside"), "tune.sampler own_samplers.Outside(): ValueError: lr is 7"),
    (
        of("PartialFixedSampler", fixed_params={}, base_sampler={"class_path": "a.B"}),
        "tune.sampler.init_args.base_sampler.class_path must be the path of a class",
    ),
]  # fmt: skip


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(("chosen", "message"), WRONG, ids=lambda part: str(part)[:60])
def test_what_cannot_work_is_refused_before_a_study_in_one_line(chosen: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        rehearse(chosen, 0, SPACE, 1)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_sampler_for_one_objective_is_refused_for_two() -> None:
    pytest.importorskip("cmaes")
    with pytest.raises(ConfigError, match=r"^tune.sampler optuna.samplers.CmaEsSampler\(\): Val"):
        rehearse(of("CmaEsSampler"), 0, SPACE, 2)
    rehearse(of("NSGAIISampler"), 0, SPACE, 2)


@pytest.mark.usefixtures("own")
def test_a_seed_reaches_the_base_of_a_sampler_and_a_sampler_within_one(url: str) -> None:
    passing = of("own_samplers.Passing", width=1)
    assert propose(study_of(url, passing), 2) == propose(study_of(url, of("RandomSampler"), "b"), 2)
    made: Any = sampler(ALL[-1], 5)
    inner = made._made._base_sampler._rng.rng
    assert inner.randint(1000) == optuna.samplers.RandomSampler(5)._rng.rng.randint(1000)
