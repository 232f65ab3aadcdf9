"""Rivals that train on from where they were, and rivals that begin with the saved state."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import math
from dataclasses import replace

import pytest
import torch

from autolr.online import Commit, Probe, Save
from autolr.online.reschedule import scaled
from autolr.online.settings import SearchSettings
from autolr.runtime.checkpoint import ResumableRivals
from autolr.runtime.rates import Rates, resume
from autolr.runtime.start import Setup, start_search
from tests.runtime.scripted import (
    RIVAL,
    RUN,
    STEPS,
    Scripted,
    data,
    learner,
    left,
    loss,
    searched,
)

THIRD = replace(RUN, peak=2.0**-7)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def equal(ours, theirs):
    return all(map(torch.equal, ours, theirs))


# --- continues


@pytest.mark.parametrize("end", [RUN, RIVAL, THIRD], ids=["the run", "a rival", "another"])
@pytest.mark.parametrize(
    "then",
    [(RUN, RIVAL, THIRD), (RIVAL, THIRD, RUN), (THIRD, RUN, RIVAL)],
    ids=["as it was", "a rival goes first", "another goes first"],
)
def test_rivals_that_train_on_end_as_in_one_longer_probe(then, end):
    first, longer = Probe((RUN, RIVAL, THIRD), 0, 6, 2), Probe(then, 6, 15, 3, continues=True)
    run, result, seen = searched(first, longer, Commit(end))
    whole, expected, (last,) = searched(Probe((RUN, RIVAL, THIRD), 0, 15, 3), Commit(end))
    assert equal(left(run), left(whole))
    assert result.probe_steps == expected.probe_steps == 2 * 15
    assert (result.candidate, result.rollbacks) == (end, ())
    order = [(RUN, RIVAL, THIRD).index(one) for one in then]
    assert seen[1].scores == tuple(last.scores[index] for index in order)


def test_who_is_not_named_again_ends_and_who_was_not_there_is_a_copy_of_the_run():
    longer = Probe((RUN, THIRD), 6, 15, 3, continues=True)
    run, result, _ = searched(Probe((RUN, RIVAL), 0, 6, 2), longer, Commit(THIRD))
    late, expected, _ = searched(
        Probe((RUN,), 0, 6, 2), Probe((RUN, THIRD), 6, 15, 3), Commit(THIRD)
    )
    assert equal(left(run), left(late))
    assert (result.probe_steps, expected.probe_steps) == (6 + 9, 9)


def test_without_continuing_a_rival_is_a_copy_of_the_run():
    first = Probe((RUN, RIVAL), 0, 6, 2)
    run, *_ = searched(first, Probe((RUN, RIVAL), 6, 15, 3), Commit(RIVAL))
    on, *_ = searched(first, Probe((RUN, RIVAL), 6, 15, 3, continues=True), Commit(RIVAL))
    assert not equal(left(run), left(on))


# --- from the saved state

HALVED = scaled(RUN, 12, 0.5, refines=False)
UNTIL = Probe((RUN,), 0, 8, 1)  # a window of one step: the weights that are saved are the run's
WATCH = Probe((RUN,), 11, 12, 1)
COPY = Probe((RUN, HALVED), 12, 17, 2, from_saved=True, factor=0.5)


class Begun:
    """What the optimizer holds as each of its steps begins, those of rivals too."""

    def __init__(self, run):
        self.states, self.run = [], run
        run.optimizer.register_step_pre_hook(self)

    def __call__(self, *_):
        self.states.append([tensor.clone() for tensor in left(self.run)[:-1]])


def with_momenta(run):
    """Have momenta from the beginning, so that their shape is known."""
    for parameter in run.model.parameters():
        run.optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return run


def test_a_rival_from_the_saved_state_begins_with_it_bit_for_bit():
    begun = Begun(with_momenta(learner()))
    searched(UNTIL, Save(RUN), WATCH, COPY, Commit(RUN), run=begun.run)
    of_run, of_rival = begun.states[8], begun.states[13]  # it steps behind the run's step 12
    assert equal(of_run, of_rival)
    assert not equal(of_run, begun.states[12])


def test_a_rival_from_the_saved_state_that_loses_leaves_no_trace():
    run, result, _ = searched(UNTIL, Save(RUN), WATCH, COPY, Commit(RUN))
    alone, *_ = searched(UNTIL, Commit(RUN))
    assert equal(left(run), left(alone))
    assert (result.rollbacks, result.discarded_steps, result.probe_steps) == ((), 0, 5)


def test_one_that_wins_is_on_record_as_a_rollback():
    _, result, seen = searched(UNTIL, Save(RUN), WATCH, COPY, Commit(HALVED))
    (rollback,) = result.rollbacks
    assert (rollback.step, rollback.to, rollback.factor) == (12, 8, 0.5)
    assert rollback.score == seen[2].scores[0]  # of the run as it was doubted, not of the copy
    assert result.discarded_steps == 4
    assert result.candidate == HALVED


def test_a_probe_of_no_steps_scores_the_saved_state_as_it_is_and_may_go_back_to_it():
    look = replace(COPY, horizon=COPY.start)
    run, result, seen = searched(UNTIL, Save(RUN), WATCH, look, Commit(HALVED))
    assert seen[3].scores[1] == seen[0].scores[0]  # its score when it was saved
    (rollback,) = result.rollbacks
    assert (rollback.step, rollback.to, rollback.score) == (12, 8, seen[2].scores[0])
    assert result.probe_steps == 0
    copied, *_ = searched(UNTIL, Save(RUN), WATCH, COPY, Commit(HALVED))
    assert equal(left(run), left(copied))
    kept, *_ = searched(UNTIL, Save(RUN), WATCH, look, Commit(RUN))
    assert equal(left(kept), left(searched(UNTIL, Commit(RUN))[0]))


def test_a_strategy_that_continues_with_neither_has_not_rolled_back():
    _, result, _ = searched(UNTIL, Save(RUN), WATCH, COPY, Commit(THIRD))
    assert result.rollbacks == ()


def test_the_recipe_replays_a_run_that_such_a_rival_has_won():
    run, result, _ = searched(UNTIL, Save(RUN), WATCH, COPY, Commit(HALVED))
    (rollback,) = result.rollbacks
    plain = learner(lr=result.peak)
    for step, rate in enumerate(result.schedule.values(STEPS)):
        if step == rollback.to:
            kept = copy.deepcopy([plain.model.state_dict(), plain.optimizer.state_dict()])
        if step == rollback.step:
            plain.model.load_state_dict(kept[0])
            plain.optimizer.load_state_dict(kept[1])
        plain.optimizer.param_groups[0]["lr"] = result.peak * rate
        plain.next_batch()
        plain.train()
    assert equal(left(run), left(plain))


def test_where_the_run_is_lost_beside_a_copy_of_the_saved_state_the_copy_takes_its_place():
    batches = [(x * (math.nan if n == 14 else 1.0), y) for n, (x, y) in enumerate(data(STEPS, 1))]

    run = learner(batches=batches)
    slow = HALVED.peak * 0.5

    def breaks(model, batch):  # at the rate of the run, not at that of the copy
        broken = run.optimizer.param_groups[0]["lr"] > slow
        return loss(model, batch if broken else (batch[0].nan_to_num(0.0), batch[1]))

    run._loss = breaks
    weights = run.model[0].weight
    _, result, _ = searched(UNTIL, Save(RUN), WATCH, COPY, Commit(HALVED), run=run)
    assert weights.isfinite().all()
    assert [(made.step, made.to, made.factor) for made in result.rollbacks] == [(12, 8, 0.5)]


# --- resumed

LATER = scaled(RIVAL, 17, 0.25, refines=False)
SCRIPT = (
    Probe((RUN, RIVAL, THIRD), 0, 4, 2),
    Probe((RIVAL, RUN), 4, 8, 3, continues=True),
    Save(RIVAL),
    Probe((RIVAL, scaled(RIVAL, 10, 0.5, refines=False)), 10, 13, 2, from_saved=True, factor=0.5),
    Probe((RIVAL,), 15, 17, 1),
    Probe((RIVAL, LATER), 17, 20, 2, from_saved=True, factor=0.25),
    Save(LATER),
    Commit(LATER),
)


class Loop:
    """A training loop that can be cut."""

    def __init__(self, run, rates, rivals, made=0):
        self.run, self.rates, self.rivals, self.made = run, rates, rivals, made

    @classmethod
    def begun(cls):
        run = learner()
        run.next_batch()
        rates = Rates.of(run.optimizer)
        setup = Setup(SearchSettings(Scripted(SCRIPT)), STEPS)
        begun, live = start_search(run, rates, setup, print, print)
        return cls(run, rates, ResumableRivals(run, rates, begun, STEPS, live))

    def train(self, until):
        while self.made < until:
            self.run._batch = data(STEPS, seed=1)[self.made]
            self.rivals.look()
            before = self.rivals.capture()
            self.rates.factor = self.rivals.factor
            self.rivals.repeat_step(self.run.train(), before, stepped=True)
            self.made += 1
        return self

    def resumed(self):
        """Return another process's loop that continues here."""
        stored = copy.deepcopy(
            [self.run.model.state_dict(), self.run.optimizer.state_dict(), torch.get_rng_state()]
        )
        rivals, base, pairs = self.rivals.state_dict(), self.rates.base, self.rates.pairs
        rivals, pairs = copy.deepcopy((rivals, pairs))
        run = learner()
        run.model.load_state_dict(stored[0])
        run.optimizer.load_state_dict(stored[1])
        resume(run.optimizer, pairs)
        rates = Rates.of(run.optimizer, base)
        restored = ResumableRivals.resumed(run, rates, rivals, Scripted(SCRIPT))
        torch.set_rng_state(stored[2])
        return Loop(run, rates, restored, self.made)


@pytest.mark.parametrize(
    "cut", [pytest.param(n, marks=() if n % 5 == 1 else pytest.mark.slow) for n in range(1, STEPS)]
)
def test_a_search_that_is_cut_at_any_step_of_such_rounds_ends_as_the_uninterrupted_one(cut):
    whole = Loop.begun().train(STEPS)
    expected, result = left(whole.run), whole.rivals.result()
    assert len(result.rollbacks) == 1
    rest = Loop.begun().train(cut).resumed().train(STEPS)
    assert equal(expected, left(rest.run))
    assert rest.rivals.result() == result
