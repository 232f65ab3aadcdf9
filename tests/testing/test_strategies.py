"""Our own strategies fulfil the contract, and the contract finds what breaks it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import dataclasses
import math

import pytest

from autolr.candidate import Candidate
from autolr.online import Annealed, AutoLRS, Check, Commit, Probe, Rollback, Save, Train
from autolr.testing import StrategyContract
from autolr.testing.played import Played
from autolr.testing.runs import run_of

REFINES = Check(0.1, 0.2, (0.5, 2.0), refines=True)


class TestAnnealed(StrategyContract):
    @pytest.fixture(
        params=[
            Annealed(),
            Annealed(candidates=3, checks=(REFINES, Check(0.5, 0.5)), budget=1.0),
        ],
        ids=["default", "three and two checks"],
    )
    def strategy(self, request):
        return request.param


class TestAutoLRS(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return AutoLRS(probes=3)  # without a fit of its process, which takes most of the time


class GoesForward(AutoLRS):
    """AutoLRS in a run that cannot be rewound."""

    __slots__ = ()
    rewinds = False


class TestAutoLRSBesideARun(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return GoesForward(probes=3)


@dataclasses.dataclass(frozen=True)
class Scripted:
    """Answers with the actions that it is given, one after the other; the last one is repeated."""

    actions: tuple[object, ...]
    at: int = 0
    budget: float = 0.1
    rewinds: bool = False

    def begin(self, run):
        return self

    @property
    def action(self):
        return self.actions[min(self.at, len(self.actions) - 1)]

    def observe(self, observation):
        return dataclasses.replace(self, at=self.at + 1)


LOW, HIGH = Candidate(peak=0.1), Candidate(peak=0.2)


@pytest.mark.parametrize(
    ("actions", "match"),
    [
        ((Probe((LOW, HIGH), 0, 10, 3),), "horizon"),
        ((Probe((LOW, HIGH), 0, 1001, 3), Commit(LOW)), "horizon"),
        ((Probe((LOW, LOW), 0, 10, 3), Commit(LOW)), "candidates"),
        ((Probe((LOW, HIGH), 0, 10, 3), Rollback(LOW), Commit(LOW)), "Rollback before any Save"),
        ((Train(LOW, 10), Commit(LOW)), "rewinds"),
    ],
    ids=["the same probe again", "too late", "twice the same", "never saved", "rewinds"],
)
def test_actions_that_cannot_be_carried_out_are_refused(actions, match):
    with pytest.raises(AssertionError, match=match):
        Played(Scripted(actions), run_of(Scripted(actions), 1000))


def test_a_search_without_an_end_is_refused():
    saving = Scripted((Save(LOW),))
    with pytest.raises(pytest.fail.Exception, match="no Commit"):
        Played(saving, run_of(saving, 1000))


def test_the_steps_of_rivals_are_counted():
    probing = Scripted((Probe((LOW, HIGH), 0, 200, 3), Commit(LOW)))
    run = run_of(probing, 1000)
    assert Played(probing, run).spent == 200 > run.budget


def test_a_search_that_is_played_ends_near_the_best_peak():
    played = Played(Annealed(), run_of(Annealed(), 1000))
    assert isinstance(played.states[-1].action, Commit)
    assert abs(math.log(played.end.candidate.peak / 0.03)) < math.log(2)
