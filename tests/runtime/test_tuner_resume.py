"""A loop that is killed and run again ends as one that was not, bit for bit."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

import autolr
from autolr.errors import ConfigError, UnsupportedError
from tests.cases import with_slow
from tests.runtime.loops import STEPS, WIDE, left, loop, loss, net, same, sgd, validate


class Loop:
    """Trains some steps in a process; another one of it goes on from a file."""

    def __init__(self, form, norm=True, score=validate, total=STEPS, **settings):
        self.model = net(norm)
        self.optimizer = sgd(self.model)
        self.form = form
        given = {"strategy": autolr.Annealed(budget=2.0), "rates": WIDE, **settings}
        self.tuner = autolr.Tuner(self.model, self.optimizer, total, validate=score, **given)

    def train(self, start, end):
        for batch in list(loop(STEPS))[start:end]:
            if self.form == "step":
                self.tuner.step(lambda: loss(self.model, batch))  # noqa: B023
            else:
                self.tuner.repeat(lambda: self.whole(batch))  # noqa: B023
        return self

    def whole(self, batch):
        self.optimizer.zero_grad()
        value = loss(self.model, batch)
        value.backward()
        self.optimizer.step()
        return value

    def save(self, file):
        parts = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "tuner")}
        torch.save(parts, file)

    def load(self, file, order=("model", "optimizer", "tuner")):
        parts = torch.load(file, weights_only=True)
        for name in order:
            getattr(self, name).load_state_dict(parts[name])
        return self


@pytest.mark.parametrize(
    ("form", "norm", "score"),
    with_slow(
        {
            "step": ("step", False, validate),
            "batch norm": ("step", True, validate),
            "repeat, batch norm": ("repeat", True, validate),
            "repeat, training loss": ("repeat", False, None),
            "training loss": ("step", False, None),
        },
        "batch norm",
        "repeat, training loss",
        "training loss",
    ),
)
def test_a_run_that_is_cut_anywhere_ends_as_the_uninterrupted_one(form, norm, score, tmp_path):
    whole = Loop(form, norm, score).train(0, STEPS)
    expected = left(whole.model, whole.optimizer)
    race = whole.tuner.result.scores[0].horizon
    for cut in (race - 1, 26):  # in the race, and beside rivals of a check
        Loop(form, norm, score).train(0, cut).save(tmp_path / "cut.pt")
        torch.rand(7)  # another process
        again = Loop(form, norm, score).load(tmp_path / "cut.pt").train(cut, STEPS)
        assert same(left(again.model, again.optimizer), expected), cut
        assert again.tuner.result == whole.tuner.result


def test_the_parts_of_a_checkpoint_are_loaded_in_any_order(tmp_path):
    whole = Loop("step").train(0, STEPS)
    expected = left(whole.model, whole.optimizer)
    Loop("step").train(0, 5).save(tmp_path / "cut.pt")
    again = Loop("step").load(tmp_path / "cut.pt", ("tuner", "optimizer", "model")).train(5, STEPS)
    assert same(left(again.model, again.optimizer), expected)


def test_a_run_that_has_ended_is_loaded_with_its_result(tmp_path):
    whole = Loop("step").train(0, STEPS)
    whole.save(tmp_path / "end.pt")
    again = Loop("step").load(tmp_path / "end.pt")
    assert again.tuner.result == whole.tuner.result
    with pytest.raises(ConfigError, match="total_steps"):
        again.train(0, 1)


def test_a_run_that_has_not_begun_is_loaded_as_that(tmp_path):
    whole = Loop("step").train(0, STEPS)
    Loop("step").save(tmp_path / "begin.pt")
    again = Loop("step").load(tmp_path / "begin.pt").train(0, STEPS)
    assert again.tuner.result == whole.tuner.result


def test_a_state_of_other_settings_or_of_nothing_is_refused_in_one_line(tmp_path):
    state = Loop("step").train(0, 5).tuner.state_dict()
    refused = {
        "the number of steps was 60, is 50": (Loop("step", total=50), state),
        "rates was .*, is None": (Loop("step", rates=None), state),
        "monitor was 'score', is 'training loss'": (Loop("step", score=None), state),
        "must be called before the first step": (Loop("step").train(0, 1), state),
        "what Tuner.state_dict\\(\\) returned, got 'dict'": (Loop("step"), {}),
        "what Tuner.state_dict\\(\\) returned, got 'NoneType'": (Loop("step"), None),
        "another version": (Loop("step"), {**state, "format": 0}),
    }
    for words, (run, given) in refused.items():
        with pytest.raises(ConfigError, match=words) as error:
            run.tuner.load_state_dict(given)
        assert "\n" not in str(error.value)


def test_a_state_that_was_written_within_a_step_is_refused():
    run = Loop("step").train(0, 3)
    calls = []

    def interrupted():
        calls.append(run.tuner.state_dict())
        if len(calls) == 2:  # in the step of a rival
            raise KeyboardInterrupt
        return loss(run.model, next(iter(loop(1))))

    with pytest.raises(KeyboardInterrupt):
        run.tuner.step(interrupted)
    with pytest.raises(UnsupportedError, match="written in the middle of a step"):
        Loop("step").tuner.load_state_dict(calls[1])
