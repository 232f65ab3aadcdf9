"""What a loop gives in a wrong shape is refused in one line, before the first step."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, StepLR

import autolr
from autolr.errors import ConfigError, UnsupportedError
from tests.runtime.loops import STEPS, loop, loss, net, sgd, validate


class Untouched:
    """A run that has to be as it was when an error is raised."""

    def __init__(self):
        self.model = net()
        self.optimizer = sgd(self.model)
        self.before = copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))
        self.batch = next(iter(loop(1)))

    def refuses(self, words, act):
        """Return the message of the error that ``act`` ends with."""
        with pytest.raises(ConfigError, match=words) as error:
            act()
        assert "\n" not in str(error.value)
        assert not self.optimizer._optimizer_step_pre_hooks
        weights, optimizer = self.before
        assert all(map(torch.equal, weights.values(), self.model.state_dict().values()))
        assert optimizer == self.optimizer.state_dict()
        return error.value

    def tuner(self, total_steps=STEPS, **settings):
        return autolr.Tuner(
            self.model, self.optimizer, total_steps, **{"validate": validate, **settings}
        )

    def search(self, given_loss=loss, batches=None, **settings):
        batches = [self.batch] if batches is None else batches
        learner = autolr.TorchLearner(
            self.model, self.optimizer, batches, given_loss, **{"validate": validate, **settings}
        )
        return autolr.search(learner, STEPS)


RETURNED = {
    "None: return it": lambda value, model: None,
    "a tuple": lambda value, model: (value, model),
    "a dict": lambda value, model: {"loss": value},
    "a float": lambda value, model: value.item(),
    "a tensor without a gradient": lambda value, model: value.detach(),
    r"a tensor of shape \(24, 4\): return its mean\(\)": lambda value, model: model(
        next(iter(loop(1)))[0]
    ),
}


@pytest.mark.parametrize("words", RETURNED)
def test_a_loss_of_a_wrong_shape_is_described(words):
    shape = RETURNED[words]
    run = Untouched()
    got = f"the loss, a tensor of one element that .* got {words}"
    tuner = run.tuner()
    run.refuses(
        f"closure must return {got}",
        lambda: tuner.step(lambda: shape(loss(run.model, run.batch), run.model)),
    )
    run.refuses(
        rf"loss\(model, batch\) must return {got}",
        lambda: run.search(lambda model, batch: shape(loss(model, batch), model)),
    )


@pytest.mark.parametrize("words", ["None: return it", "a tuple", "a dict", r"a tensor of shape"])
def test_a_whole_step_that_returns_no_loss_is_described(words):
    (shape,) = (shape for name, shape in RETURNED.items() if name.startswith(words))
    run = Untouched()

    def train_step():
        run.optimizer.zero_grad()
        value = loss(run.model, run.batch)
        value.backward()
        run.optimizer.step()
        return shape(value, run.model)

    tuner = run.tuner()
    run.refuses(
        f"train_step must return the loss, .* got {words}", lambda: tuner.repeat(train_step)
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (nn.CrossEntropyLoss(), r"write loss=lambda model, batch: CrossEntropyLoss\(\)\(model\("),
        (F.cross_entropy, r"write loss=lambda model, batch: cross_entropy\(model\("),
        (lambda batch: 0, r"called as loss\(model, batch\): too many positional arguments"),
        (lambda model, x, y: 0, "missing a required argument: 'y'"),
        (lambda batch, model: model(batch[0]).sum(), r"raised TypeError: 'list' object is not c"),
        (lambda model, batch: model(batch), "raised TypeError: linear"),
        (lambda model, batch: model.loss(batch), "raised AttributeError"),
        ("cross_entropy", "loss must be a function, .* got 'cross_entropy'"),
        (None, "loss must be a function, .* got None"),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_a_loss_that_takes_other_arguments_is_refused(given, words):
    run = Untouched()
    run.refuses(words, lambda: run.search(given, [list(run.batch)]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda batch: 0, r"closure must be a function, which is called as closure\(\): missing"),
        (torch.tensor(1.0), r"closure must be a function, which is called as closure\(\), got ten"),
        (None, "closure must be a function, which is called as closure"),
    ],
    ids=["arguments", "the loss itself", "None"],
)
def test_a_step_without_a_closure_is_refused(given, words):
    run = Untouched()
    tuner = run.tuner()
    run.refuses(words, lambda: tuner.step(given))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda model: None, "got None: return it"),
        (lambda model: "0.5", "got a str"),
        (lambda model: {"val_loss": 0.5}, "got a dict"),
        (lambda model: torch.ones(3, 2), r"got a tensor of shape \(3, 2\)"),
        (lambda model: [], "got a list"),
        (lambda model: [0.5, None], "got a list"),
        (lambda: 0.5, r"called as validate\(model\): too many positional arguments"),
        (lambda model, loader: 0.5, "missing a required argument: 'loader'"),
        (0.5, "validate must be a function, .* got 0.5"),
        (lambda loader: sum(loader), "validate is called as validate.model., and raised TypeError"),
    ],
    ids=["None", "text", "dict", "matrix", "empty", "gap", "no arguments", "two", "float", "data"],
)
def test_a_validate_of_a_wrong_shape_is_refused(given, words):
    run = Untouched()
    run.refuses(words, lambda: run.tuner(validate=given).step(lambda: loss(run.model, run.batch)))
    run.refuses(words, lambda: run.search(validate=given))


@pytest.mark.parametrize("measured", [torch.tensor(0.5), torch.ones(3), (0.5, 1), [torch.ones(())]])
def test_a_score_may_be_a_number_or_numbers(measured):
    run = Untouched()
    tuner = run.tuner(validate=lambda model: measured)
    tuner.step(lambda: loss(run.model, run.batch))
    assert tuner.result.broken_off is None


def test_a_validate_that_leaves_another_mode_leaves_the_run_in_its_own():
    run = Untouched()
    run.model[1].eval()  # frozen statistics, as in fine-tuning
    modes = [module.training for module in run.model.modules()]

    def switches(model):
        model.train()
        model.eval()
        return validate(model)

    tuner = run.tuner(validate=switches)
    for batch in loop(STEPS):
        tuner.step(lambda: loss(run.model, batch))  # noqa: B023
        assert [module.training for module in run.model.modules()] == modes


@pytest.mark.parametrize(
    "batches",
    [[], iter([]), map(str, []), 3, None, {"x": torch.ones(2)}, "data", lambda: [1]],
    ids=["empty", "iterator", "map", "number", "None", "dict", "text", "function"],
)
def test_batches_that_are_none_are_refused(batches):
    run = Untouched()
    learner = dict(model=run.model, optimizer=run.optimizer, batches=batches, loss=loss)
    run.refuses(
        "batches must be a collection that can be iterated again, with at least one batch, got",
        lambda: autolr.search(autolr.TorchLearner(**learner), STEPS),
    )


@pytest.mark.parametrize("total_steps", [0, -1, 2.5, "100", None, True])
def test_a_run_without_a_length_is_refused(total_steps):
    run = Untouched()
    words = "total_steps must be a whole number of at least 1, got"
    run.refuses(words, lambda: run.tuner(total_steps))
    learner = autolr.TorchLearner(run.model, run.optimizer, [run.batch], loss)
    run.refuses(words, lambda: autolr.search(learner, total_steps))


SETTINGS = {
    "mode must be 'min' or 'max', got 'best'": {"mode": "best"},
    "unknown profile|schedule": {"schedule": "cosin"},
    "rates": {"rates": (2.0, 1.0)},
    "strategy must be": {"strategy": "none"},
    "candidates: rules race in AutoLR": {"candidates": {"rule": ["fixed", "dog"]}},
    "backward must be a function": {"backward": True},
    "scaler must be a torch.amp.GradScaler, got 'str'": {"scaler": "fp16"},
    "max_copies must be": {"max_copies": 0},
    "verify must be": {"verify": "yes"},
}


@pytest.mark.parametrize("words", SETTINGS)
def test_a_setting_that_cannot_work_is_refused(words):
    run = Untouched()
    run.refuses(words, lambda: run.tuner(**SETTINGS[words]))


@pytest.mark.parametrize("scaled", [False, True])
def test_a_closure_that_calls_backward_is_refused(scaled):
    run = Untouched()
    scaler = torch.amp.GradScaler("cpu") if scaled else None
    tuner = run.tuner(scaler=scaler)

    def closure():
        value = loss(run.model, run.batch)
        value.backward(retain_graph=True)
        return value

    with pytest.raises(ConfigError, match=r"it has called backward\(\): leave that to Tuner\.step"):
        tuner.step(closure)


def test_a_model_in_the_place_of_a_learner_is_refused():
    run = Untouched()
    run.refuses(
        "learner must be a learner such as autolr.TorchLearner", lambda: autolr.search(run.model, 9)
    )


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    run = Untouched()
    run.refuses("save_to", lambda: run.tuner(save_to=tmp_path / "file"))


def test_models_and_optimizers_that_do_not_belong_together_are_refused():
    run = Untouched()
    other = sgd(net())
    lazy = nn.LazyLinear(4)
    refused = {
        "optimizer must be one of the model's parameters": (run.model, other),
        "model must be a torch.nn.Module, got 'SGD'": (run.optimizer, run.model),
        "optimizer must be a torch.optim.Optimizer, or .*, got 'float'": (run.model, 0.1),
        r"optimizer must be .* a list of them, got \[\]": (run.model, []),
        "pass a batch through the model": (lazy, torch.optim.SGD(lazy.parameters(), lr=0.1)),
    }
    for words, pair in refused.items():
        run.refuses(words, lambda pair=pair: autolr.Tuner(*pair, STEPS, validate=validate))


def test_a_scheduler_that_warms_up_or_has_a_rival_in_schedule_is_refused():
    warming = [
        lambda optimizer: LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 10)),
        lambda optimizer: OneCycleLR(optimizer, max_lr=0.1, total_steps=STEPS),
    ]
    for make in warming:
        model = net()
        optimizer = sgd(model)
        make(optimizer)
        tuner = autolr.Tuner(model, optimizer, STEPS, validate=validate)
        with pytest.raises(UnsupportedError, match=r"warms up to .*: leave the scheduler out"):
            tuner.step(lambda: loss(model, next(iter(loop(1)))))  # noqa: B023
        assert not optimizer._optimizer_step_pre_hooks
    model = net()
    optimizer = sgd(model)
    StepLR(optimizer, 10)
    tuner = autolr.Tuner(model, optimizer, STEPS, validate=validate, schedule="linear")
    with pytest.raises(ConfigError, match="schedule must be left out: the optimizer has a sched"):
        tuner.step(lambda: loss(model, next(iter(loop(1)))))


def test_a_scheduler_within_the_step_is_refused():
    run = Untouched()
    scheduler = LambdaLR(run.optimizer, lambda step: 0.99**step)
    tuner = run.tuner()

    def train_step():
        run.optimizer.zero_grad()
        value = loss(run.model, run.batch)
        value.backward()
        run.optimizer.step()
        scheduler.step()
        return value

    with pytest.raises(ConfigError, match="train_step must not step a scheduler"):
        tuner.repeat(train_step)


def test_a_step_that_counts_its_calls_is_refused():
    run = Untouched()
    tuner, calls = run.tuner(), []

    def train_step():
        value = loss(run.model, run.batch) / 2
        value.backward()
        calls.append(value)
        if len(calls) % 2 == 0:
            run.optimizer.step()
        return value

    run.refuses("train_step must make the same step each time", lambda: tuner.repeat(train_step))


def test_a_mended_closure_goes_on_after_an_error():
    run = Untouched()
    tuner = run.tuner(20, strategy=autolr.Annealed(budget=2.0))
    run.refuses("got None", lambda: tuner.step(lambda: None))
    for batch in loop(20):
        tuner.step(lambda: loss(run.model, batch))  # noqa: B023
    assert tuner.result.scores[0].horizon < 8  # so many batches are kept, of the broken step none
    assert tuner.result.broken_off is None
